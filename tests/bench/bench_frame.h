/* p2c2r-bench frame: what one frame costs the authority's core. */
#ifndef P2_TESTS_BENCH_BENCH_FRAME_H
#define P2_TESTS_BENCH_BENCH_FRAME_H

int bench_frame_main(int argc, char **argv);

#endif
