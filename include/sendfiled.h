/*
 * What a program includes: the client API of sendfiled, all of it. The headers are in sendfiled/, out of the way of
 * the program's own.
 */
#include "sendfiled/sendfiled.h"
