/* A worker whose disk does not answer for a while. */
#ifndef EKSGATE_TESTS_WORKER_HANG_H
#define EKSGATE_TESTS_WORKER_HANG_H

struct worker;

/* From here on its jobs wait, until release_worker(), which waits for them. One at a time. */
void hang_worker(struct worker *worker);
void release_worker(struct worker *worker);

#endif
