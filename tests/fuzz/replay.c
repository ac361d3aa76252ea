/* Runs a fuzz target over every file of the directories (and over every file) given, once: how
 * `make test` replays a corpus without a fuzzer. */
#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int run_file(const char *path)
{
	struct stat status;
	FILE *file = fopen(path, "rb");
	if (file == NULL || fstat(fileno(file), &status) != 0) {
		perror(path);
		return 1;
	}
	/* Exactly as long as the input, so that a sanitizer sees a read beyond it. */
	size_t len = (size_t)status.st_size;
	uint8_t *data = malloc(len > 0 ? len : 1);
	int failed = data == NULL || fread(data, 1, len, file) != len;
	fclose(file);
	if (!failed)
		LLVMFuzzerTestOneInput(data, len);
	free(data);
	return failed;
}

static int run_directory(const char *path, DIR *directory, int *count)
{
	int failed = 0;
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
		char name[PATH_MAX];
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
		failed += run_file(name);
		(*count)++;
	}
	closedir(directory);
	return failed;
}

int main(int argc, char **argv)
{
	int count = 0, failed = 0;
	for (int i = 1; i < argc; i++) {
		DIR *directory = opendir(argv[i]);
		if (directory != NULL) {
			failed += run_directory(argv[i], directory, &count);
		} else {
			failed += run_file(argv[i]);
			count++;
		}
	}
	printf(
	    "%s 1 - %d inputs replayed\n1..1\n", failed == 0 && count > 0 ? "ok" : "not ok", count);
	return failed == 0 && count > 0 ? 0 : 1;
}
