/* The DNS label that stands for a cluster in a TLS server name. Pure: it depends on the cluster's
 * name alone, so that no other cluster coming or going ever moves it. */
#ifndef EKSGATE_ALIAS_H
#define EKSGATE_ALIAS_H

#define ALIAS_MAX 63

/* The name itself when it is such a label in lower case; else a readable part of it and "-" and 8
 * hex digits of the SHA-256 of the exact name. A name that ends like that is hashed too: no name is
 * the alias of another. */
void alias_make(const char *name, char alias[ALIAS_MAX + 1]);

#endif
