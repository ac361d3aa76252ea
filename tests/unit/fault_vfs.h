/* SQLite's file layer with a fault in it, for tests of what is durable: at the Nth operation that
 * changes something the process dies as by SIGKILL, before the operation or in the middle of it, or
 * the operation fails. Installed as the default layer, so that the code under test is as it is. */
#ifndef EKSGATE_FAULT_VFS_H
#define EKSGATE_FAULT_VFS_H

#include <stdbool.h>

enum fault_kind {
	FAULT_NONE, /* only counts */
	FAULT_DEATH, /* before the operation */
	FAULT_TORN, /* as half of a write is done */
	FAULT_ERROR, /* the operation answers `code` and does nothing */
};

struct fault {
	enum fault_kind kind;
	unsigned at; /* which operation, from 1 */
	bool is_lasting; /* FAULT_ERROR: so do all that follow */
	int code; /* of SQLite */
	unsigned count; /* operations so far */
	/* A directory that has of each file what the disk surely has: what stood in it when it was
	 * synced. NULL: nobody asks. */
	const char *disk;
};
extern struct fault fault;

void fault_vfs_install(void);

#endif
