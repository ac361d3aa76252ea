/* A disk of recordings that does not answer for a while. */
#ifndef EKSGATE_TESTS_DISK_HANG_H
#define EKSGATE_TESTS_DISK_HANG_H

struct recordings;

/* From here on what comes to it waits, until release_disk(). */
void hang_disk(struct recordings *recordings);
void release_disk(void);

#endif
