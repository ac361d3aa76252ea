/* A layer over "unix" that hands every call on. What changes a file, a lock or the shared memory
 * counts as an operation. */
#include "tests/unit/fault_vfs.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/xmem.h"

struct fault fault;

/* What SQLite allocates for a file of ours; the one below stands behind it. */
struct file {
	sqlite3_file base;
	sqlite3_file *below;
	const char *name; /* NULL: temporary */
};

static sqlite3_vfs *below;

static _Noreturn void die(void)
{
	kill(getpid(), SIGKILL);
	abort();
}

/* SQLITE_OK, or what the operation answers instead of being done. */
static int operation(void)
{
	fault.count++;
	if (fault.kind == FAULT_DEATH && fault.count == fault.at)
		die();
	if (fault.kind == FAULT_ERROR &&
	    (fault.count == fault.at || (fault.is_lasting && fault.count > fault.at)))
		return fault.code;
	return SQLITE_OK;
}

static sqlite3_file *file_of(sqlite3_file *file)
{
	return ((struct file *)file)->below;
}

/* --- files ------------------------------------------------------------------------------------ */

static int on_close(sqlite3_file *file)
{
	sqlite3_file *inner = file_of(file);
	int code = inner->pMethods != NULL ? inner->pMethods->xClose(inner) : SQLITE_OK;
	sqlite3_free(inner);
	return code;
}

static int on_read(sqlite3_file *file, void *data, int len, sqlite3_int64 at)
{
	return file_of(file)->pMethods->xRead(file_of(file), data, len, at);
}

static int on_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 at)
{
	const sqlite3_io_methods *methods = file_of(file)->pMethods;
	bool is_torn = fault.kind == FAULT_TORN && fault.count + 1 == fault.at;
	int code = operation();
	if (code != SQLITE_OK)
		return code;
	if (is_torn) {
		methods->xWrite(file_of(file), data, len / 2, at);
		die();
	}
	return methods->xWrite(file_of(file), data, len, at);
}

static int on_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	int code = operation();
	return code != SQLITE_OK ? code : file_of(file)->pMethods->xTruncate(file_of(file), size);
}

/* Where the disk has it (free()). */
static char *on_disk(const char *name)
{
	const char *slash = strrchr(name, '/');
	return xasprintf("%s/%s", fault.disk, slash != NULL ? slash + 1 : name);
}

static void bring_to_disk(sqlite3_file *file)
{
	const sqlite3_io_methods *methods = file_of(file)->pMethods;
	sqlite3_int64 size = 0;
	if (methods->xFileSize(file_of(file), &size) != SQLITE_OK)
		abort();
	char *data = xmalloc((size_t)size + 1), *path = on_disk(((struct file *)file)->name);
	FILE *out = fopen(path, "wb");
	if (out == NULL || methods->xRead(file_of(file), data, (int)size, 0) != SQLITE_OK ||
	    fwrite(data, 1, (size_t)size, out) != (size_t)size || fclose(out) != 0)
		abort();
	free(path);
	free(data);
}

/* Not done: processes die here, and the machine is what fault.disk has. */
static int on_sync(sqlite3_file *file, int flags)
{
	(void)flags;
	int code = operation();
	if (code == SQLITE_OK && fault.disk != NULL && ((struct file *)file)->name != NULL)
		bring_to_disk(file);
	return code;
}

static int on_size(sqlite3_file *file, sqlite3_int64 *size)
{
	return file_of(file)->pMethods->xFileSize(file_of(file), size);
}

static int on_lock(sqlite3_file *file, int lock)
{
	return file_of(file)->pMethods->xLock(file_of(file), lock);
}

static int on_unlock(sqlite3_file *file, int lock)
{
	return file_of(file)->pMethods->xUnlock(file_of(file), lock);
}

static int on_check_lock(sqlite3_file *file, int *is_locked)
{
	return file_of(file)->pMethods->xCheckReservedLock(file_of(file), is_locked);
}

static int on_control(sqlite3_file *file, int what, void *arg)
{
	return file_of(file)->pMethods->xFileControl(file_of(file), what, arg);
}

static int on_sector(sqlite3_file *file)
{
	return file_of(file)->pMethods->xSectorSize(file_of(file));
}

static int on_traits(sqlite3_file *file)
{
	return file_of(file)->pMethods->xDeviceCharacteristics(file_of(file));
}

/* SQLITE_READONLY would mean shared memory that others write: not what a read-only disk answers. */
static int on_map(sqlite3_file *file, int page, int size, int extend, void volatile **at)
{
	int code = extend ? operation() : SQLITE_OK;
	if (code != SQLITE_OK)
		return code == SQLITE_READONLY ? SQLITE_CANTOPEN : code;
	return file_of(file)->pMethods->xShmMap(file_of(file), page, size, extend, at);
}

static int on_shared_lock(sqlite3_file *file, int offset, int count, int flags)
{
	return file_of(file)->pMethods->xShmLock(file_of(file), offset, count, flags);
}

/* Between two of them the index of the log is written: a place to die. */
static void on_barrier(sqlite3_file *file)
{
	if (fault.kind != FAULT_ERROR)
		(void)operation();
	file_of(file)->pMethods->xShmBarrier(file_of(file));
}

static int on_unmap(sqlite3_file *file, int is_deleted)
{
	return file_of(file)->pMethods->xShmUnmap(file_of(file), is_deleted);
}

static const sqlite3_io_methods methods = {.iVersion = 2,
    .xClose = on_close,
    .xRead = on_read,
    .xWrite = on_write,
    .xTruncate = on_truncate,
    .xSync = on_sync,
    .xFileSize = on_size,
    .xLock = on_lock,
    .xUnlock = on_unlock,
    .xCheckReservedLock = on_check_lock,
    .xFileControl = on_control,
    .xSectorSize = on_sector,
    .xDeviceCharacteristics = on_traits,
    .xShmMap = on_map,
    .xShmLock = on_shared_lock,
    .xShmBarrier = on_barrier,
    .xShmUnmap = on_unmap};

/* --- the layer -------------------------------------------------------------------------------- */

static int on_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *given)
{
	(void)vfs;
	struct file *own = (struct file *)file;
	own->base.pMethods = NULL;
	own->name = name;
	own->below = sqlite3_malloc(below->szOsFile);
	if (own->below == NULL)
		return SQLITE_NOMEM;
	memset(own->below, 0, (size_t)below->szOsFile);
	int code = below->xOpen(below, name, own->below, flags, given);
	if (code == SQLITE_OK)
		own->base.pMethods = &methods;
	else
		sqlite3_free(own->below);
	return code;
}

static int on_delete(sqlite3_vfs *vfs, const char *name, int is_synced)
{
	(void)vfs;
	int code = operation();
	if (code == SQLITE_OK && fault.disk != NULL) {
		char *path = on_disk(name);
		(void)unlink(path);
		free(path);
	}
	return code != SQLITE_OK ? code : below->xDelete(below, name, is_synced);
}

void fault_vfs_install(void)
{
	static sqlite3_vfs vfs;
	if (below != NULL)
		return;
	below = sqlite3_vfs_find(NULL);
	vfs = *below; /* what is not ours works on names alone, or on `below`'s own data */
	vfs.zName = "fault";
	vfs.szOsFile = sizeof(struct file);
	vfs.xOpen = on_open;
	vfs.xDelete = on_delete;
	if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK)
		abort();
}
