/* A main for fuzz targets when libFuzzer is not there: runs every file of the target's corpus
 * (tests/data/fuzz/NAME, NAME being the program's name without "fuzz-") and the empty input. */
#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Largest corpus file. Chosen: libFuzzer's own default for inputs is 4 KiB. */
#define INPUT_MAX (4u << 20)

static uint8_t input[INPUT_MAX];

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return -1;
    }
    size_t size = fread(input, 1, sizeof input, file);
    (void)fclose(file); /* it was only read */
    /* An exact copy on the heap, so that reading one byte too many is seen by ASan. */
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (copy == NULL) {
        return -1;
    }
    memcpy(copy, input, size);
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    return 0;
}

static const char *corpus_name(const char *program)
{
    const char *slash = strrchr(program, '/');
    const char *name = slash != NULL ? slash + 1 : program;
    return strncmp(name, "fuzz-", 5) == 0 ? name + 5 : name;
}

int main(int argc, char **argv)
{
    char folder[PATH_MAX];
    const char *top = getenv("top_srcdir");
    unsigned count = 0, failed = 0;
    (void)argc;
    (void)snprintf(folder, sizeof folder, "%s/tests/data/fuzz/%s",
                   top != NULL ? top : P2_SOURCE_DIR, corpus_name(argv[0]));
    (void)LLVMFuzzerTestOneInput(input, 0);
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        char path[PATH_MAX + 256 + 2];
        if (entry->d_name[0] == '.') {
            continue;
        }
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        count++;
        failed += replay_file(path) != 0;
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    (void)printf("%u inputs replayed from %s\n", count, folder);
    if (count == 0) {
        (void)fprintf(stderr, "no corpus in %s\n", folder);
        return EXIT_FAILURE;
    }
    /* One target counts as one test; a crash is its failure. */
    (void)printf("%u passed, %u failed\n", failed == 0 ? 1u : 0u, failed == 0 ? 0u : 1u);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
