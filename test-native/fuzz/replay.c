/*
 * Main of a fuzz target where there is no libFuzzer: runs every file of the directories, or every file, that it is
 * given through the target, and the empty input. Ends with 0 and a count; what a target finds ends the process before.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

#include "fuzz.h"

#define INPUT_MAX ((size_t)1 << 20)

static unsigned long run_file(const char *path)
{
    static uint8_t bytes[INPUT_MAX];
    FILE *file = fopen(path, "rb");

    if (file == NULL) {
        (void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(2);
    }
    const size_t size = fread(bytes, 1, sizeof(bytes), file);
    (void)fclose(file);
    (void)fprintf(stderr, "%s\n", path); /* the last one is the one that fails */
    uint8_t *input = fuzz_exact_copy(bytes, size);
    (void)LLVMFuzzerTestOneInput(input, size);
    free(input);
    return 1;
}

static unsigned long run_directory(const char *directory)
{
    char path[PATH_MAX];
    struct dirent **names;
    unsigned long count = 0;
    const int n = scandir(directory, &names, NULL, alphasort);

    if (n < 0) {
        (void)fprintf(stderr, "%s: %s\n", directory, strerror(errno));
        exit(2);
    }
    for (int i = 0; i < n; i++) {
        if (names[i]->d_name[0] != '.') {
            (void)snprintf(path, sizeof(path), "%s/%s", directory, names[i]->d_name);
            count += run_file(path);
        }
        free(names[i]);
    }
    free(names);
    return count;
}

int main(int argc, char **argv)
{
    struct stat st;
    unsigned long count = 0;

    (void)LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++)
        count += stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode) ? run_directory(argv[i]) : run_file(argv[i]);
    (void)printf("%lu inputs\n", count);
    return count == 0 ? 1 : 0; /* a corpus that is not there proves nothing */
}
