/*
 * What marks a function of the library's API. The original has a header of this name; included by the others.
 */
#ifndef SENDFILED_ATTR_H
#define SENDFILED_ATTR_H

#ifndef SFD_API
#define SFD_API __attribute__((visibility("default")))
#endif

#endif
