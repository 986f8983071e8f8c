/** What single steps cost, by JMH: {@code ./dev jmh}. Names end in Benchmark; whole programs are in the package above. */
@NullMarked
package io.sendfiled.bench.micro;

import org.jspecify.annotations.NullMarked;
