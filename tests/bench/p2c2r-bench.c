/* p2c2r-bench: measurements against floors of the same run. Built, not installed. */
#include "tests/bench/bench_frame.h"
#include "tests/bench/bench_link.h"
#include "tests/bench/bench_store.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (p2_crypto_init() != P2_OK) {
        (void)fputs("p2c2r-bench: libsodium does not start\n", stderr);
        return 99;
    }
    if (argc >= 2 && strcmp(argv[1], "link") == 0) {
        return bench_link_main(argc - 1, argv + 1);
    }
    if (argc >= 2 && strcmp(argv[1], "frame") == 0) {
        return bench_frame_main(argc - 1, argv + 1);
    }
    if (argc >= 2 && strcmp(argv[1], "dispatch") == 0) {
        return bench_dispatch_main(argc - 1, argv + 1);
    }
    if (argc >= 2 && strcmp(argv[1], "fanout") == 0) {
        return bench_fanout_main(argc - 1, argv + 1);
    }
    if (argc >= 2 && strcmp(argv[1], "store") == 0) {
        return bench_store_main(argc - 1, argv + 1);
    }
    (void)fputs(
        "Usage: p2c2r-bench link|frame|store|dispatch|fanout [options]; see p2c2r-bench link "
        "--help\n",
        stderr);
    return 2;
}
