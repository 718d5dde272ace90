#include "tests/lib/kernel-lab.h"
#include "tests/lib/test.h"

#include "kernels/physics_destruction.h"

static struct p2_lab lab;

static int open_lab(void)
{
    return p2_lab_open(&lab, &p2_kernel_physics_destruction);
}

static int close_lab(void)
{
    p2_lab_close(&lab);
    return 0;
}

/* ---- blocks drawn by hand ------------------------------------------------------------------- */

#define FLOOR_HOLDS 16

static struct p2_pack out;
static uint32_t wide;

/* Begins a block: two materials, of 10 and 30 kg, strengths 100 and 255. */
static void begin(uint32_t nx, uint32_t ny, uint32_t nz, uint32_t faces, uint32_t blasts,
                  uint32_t removed, uint32_t dust)
{
    static const uint8_t materials[8] = {10, 0, 100, 0, 30, 0, 255, 0};
    wide = nx;
    out = p2_pack_start(lab.test_case.input, P2C2R_INPUT_MAX);
    p2_pack_u8(&out, (uint8_t)nx);
    p2_pack_u8(&out, (uint8_t)ny);
    p2_pack_u8(&out, (uint8_t)nz);
    p2_pack_u8(&out, (uint8_t)faces);
    p2_pack_u16(&out, 2);
    p2_pack_u16(&out, (uint16_t)blasts);
    p2_pack_u32(&out, removed);
    p2_pack_u32(&out, dust);
    p2_pack_bytes(&out, materials, sizeof materials);
}

/* A block one voxel deep from a picture: rows from the top down, '#' 10 kg, 'M' 30 kg. */
static void picture(const char *text, uint32_t nz)
{
    uint8_t *voxel = p2_pack_space(&out, (size_t)wide * nz);
    for (uint32_t z = 0; z < nz; z++) {
        for (uint32_t x = 0; x < wide; x++) {
            char drawn = text[(nz - 1 - z) * wide + x];
            voxel[z * wide + x] = drawn == '#' ? 1 : drawn == 'M' ? 2 : 0;
        }
    }
    lab.test_case.input_size = out.size;
}

enum {
    REMOVED = 0,
    FRAGMENTS = 4,
    RUNS = 8,
    DUST_RUNS = 12,
    REMOVED_RUNS = 16,
    DUST = 20,
    DUST_MASS = 24,
    STAYS = 32
};

static uint32_t head(size_t offset)
{
    return p2_load_le32(lab.output + offset);
}

/* A number of fragment `i`'s record. */
static uint32_t of(uint32_t i, size_t offset)
{
    return p2_load_le32(lab.output + P2_DESTRUCTION_OUT_HEADER + P2_DESTRUCTION_FRAGMENT * i +
                        offset);
}

enum { VOXELS = 8, MASS = 20, CENTRE_X = 28, CENTRE_Y = 32, CENTRE_Z = 36 };

static uint32_t run_code(uint32_t i)
{
    return p2_load_le32(lab.output + P2_DESTRUCTION_OUT_HEADER +
                        P2_DESTRUCTION_FRAGMENT * head(FRAGMENTS) + 4 * i);
}

static void run_and_check(void)
{
    CU_ASSERT_FATAL(p2_lab_run(&lab) == P2C2R_KERNEL_OK);
    for (uint64_t secret = 0; secret < 20; secret++) {
        P2_ASSERT_EQUAL(p2_lab_check(&lab, lab.output, lab.size, secret), P2C2R_KERNEL_OK);
    }
}

/* ---- promises ------------------------------------------------------------------------------- */

static void an_arch_stands_on_both_feet(void)
{
    begin(5, 1, 3, FLOOR_HOLDS, 0, 0, 1);
    picture("#####"
            "#   #"
            "#   #",
            3);
    run_and_check();
    P2_ASSERT_EQUAL(head(FRAGMENTS), 0);
    P2_ASSERT_EQUAL(head(STAYS), 9);
    P2_ASSERT_EQUAL(lab.size, P2_DESTRUCTION_OUT_HEADER);
}

static void an_arch_on_one_foot_still_stands_and_on_none_falls(void)
{
    begin(5, 1, 3, FLOOR_HOLDS, 0, 1, 1);
    p2_pack_u32(&out, 5); /* the left foot's upper voxel */
    picture("#####"
            "#   #"
            "#   #",
            3);
    run_and_check();
    P2_ASSERT_EQUAL(head(FRAGMENTS), 0);
    P2_ASSERT_EQUAL(head(REMOVED), 1);
    P2_ASSERT_EQUAL(head(STAYS), 8);
    begin(5, 1, 3, FLOOR_HOLDS, 0, 2, 1);
    p2_pack_u32(&out, 5);
    p2_pack_u32(&out, 9);
    picture("#####"
            "#   #"
            "#   #",
            3);
    run_and_check();
    P2_ASSERT_EQUAL(head(FRAGMENTS), 1);
    P2_ASSERT_EQUAL(of(0, VOXELS), 5);
    P2_ASSERT_EQUAL(of(0, MASS), 50);
    P2_ASSERT_EQUAL(of(0, CENTRE_X), 640);      /* 2.5 voxels */
    P2_ASSERT_EQUAL(of(0, CENTRE_Y), 128);      /* 0.5 */
    P2_ASSERT_EQUAL(of(0, CENTRE_Z), 640);      /* 2.5 */
    P2_ASSERT_EQUAL(run_code(0), 10 | 4 << 18); /* voxels 10 .. 14 */
    P2_ASSERT_EQUAL(run_code(1), 5);            /* the removed ones */
    P2_ASSERT_EQUAL(run_code(2), 9);
    P2_ASSERT_EQUAL(head(STAYS), 2);
}

static void a_bridge_cut_twice_drops_its_middle(void)
{
    begin(9, 1, 3, FLOOR_HOLDS, 0, 2, 1);
    p2_pack_u32(&out, 18 + 2);
    p2_pack_u32(&out, 18 + 6);
    picture("###M#####"
            "#       #"
            "#       #",
            3);
    run_and_check();
    P2_ASSERT_EQUAL(head(FRAGMENTS), 1);
    P2_ASSERT_EQUAL(of(0, VOXELS), 3);
    P2_ASSERT_EQUAL(of(0, MASS), 50); /* 30 + 10 + 10 */
    /* (30 * 3.5 + 10 * 4.5 + 10 * 5.5) / 50 = 4.1 voxels = 1049.6 units */
    P2_ASSERT_EQUAL(of(0, CENTRE_X), 1049);
    P2_ASSERT_EQUAL(head(STAYS), 8); /* 13 drawn, 2 removed, 3 fall */
}

static void a_floating_island_is_a_fragment_and_corners_do_not_hold(void)
{
    begin(6, 1, 4, FLOOR_HOLDS, 0, 0, 1);
    picture("    ##"
            "#     "
            " #    "
            "#     ",
            4);
    run_and_check();
    P2_ASSERT_EQUAL(head(FRAGMENTS), 3);
    P2_ASSERT_EQUAL(of(0, VOXELS), 1); /* in order of their first voxels: from below */
    P2_ASSERT_EQUAL(run_code(0), 7);
    P2_ASSERT_EQUAL(run_code(1), 12);
    P2_ASSERT_EQUAL(run_code(2), 22 | 1 << 18);
    P2_ASSERT_EQUAL(of(2, VOXELS), 2);
}

static void small_fragments_are_dust(void)
{
    begin(6, 1, 2, FLOOR_HOLDS, 0, 0, 3);
    picture("## MMM"
            "      ",
            2);
    run_and_check();
    P2_ASSERT_EQUAL(head(FRAGMENTS), 1);
    P2_ASSERT_EQUAL(head(DUST), 2);
    P2_ASSERT_EQUAL(head(DUST_MASS), 20);
    P2_ASSERT_EQUAL(head(DUST_RUNS), 1);
    P2_ASSERT_EQUAL(of(0, VOXELS), 3);
}

static void every_face_holds_when_told_so(void)
{
    for (uint32_t face = 0; face < 6; face++) {
        begin(3, 3, 3, 1u << face, 0, 0, 1);
        uint8_t *voxel = p2_pack_space(&out, 27);
        memset(voxel, 0, 27);
        /* One voxel in the middle of each face: only the one on `face` stays. */
        static const uint8_t middle[6] = {12, 14, 10, 16, 4, 22};
        for (size_t i = 0; i < 6; i++) {
            voxel[middle[i]] = 1;
        }
        lab.test_case.input_size = out.size;
        run_and_check();
        P2_ASSERT_EQUAL(head(FRAGMENTS), 5);
        P2_ASSERT_EQUAL(head(STAYS), 1);
    }
}

static void a_blast_takes_what_its_power_reaches(void)
{
    /* Voxels 0 .. 8 of strength 100; centre in voxel 4's middle, radius 3 voxels, power 200:
     * taken while 100 * 9 < 200 * (9 - d^2), so d^2 < 4.5: d = 0, 1, 2. */
    begin(9, 1, 1, FLOOR_HOLDS, 1, 0, 1);
    p2_pack_u32(&out, 4 * 256 + 128);
    p2_pack_u32(&out, 128);
    p2_pack_u32(&out, 128);
    p2_pack_u16(&out, 3 * 256);
    p2_pack_u16(&out, 200);
    picture("#########", 1);
    run_and_check();
    P2_ASSERT_EQUAL(head(REMOVED), 5);
    P2_ASSERT_EQUAL(run_code(0), 2 | 4 << 18);
    P2_ASSERT_EQUAL(head(STAYS), 4);
    lab.test_case.input[lab.test_case.input_size - 5] = 2; /* voxel 4 of strength 255 survives */
    run_and_check();
    P2_ASSERT_EQUAL(head(REMOVED), 4);
}

static void a_snake_of_voxels_is_one_fragment(void)
{
    /* Runs that meet late: union-find must join what scanning numbered apart. */
    begin(7, 1, 7, FLOOR_HOLDS, 0, 0, 1);
    picture("#######"
            "#     #"
            "# ### #"
            "# # # #"
            "# #   #"
            "# #####"
            "       ",
            7);
    run_and_check();
    P2_ASSERT_EQUAL(head(FRAGMENTS), 1);
    P2_ASSERT_EQUAL(of(0, VOXELS), 27);
}

static void a_checkerboard_of_the_largest_size_fits(void)
{
    begin(64, 64, 56, 0, 0, 0, 1);
    uint8_t *voxel = p2_pack_space(&out, P2_DESTRUCTION_VOXELS_MAX);
    for (uint32_t i = 0; i < P2_DESTRUCTION_VOXELS_MAX; i++) {
        voxel[i] = (uint8_t)((i + i / 64 + i / 4096) & 1);
    }
    lab.test_case.input_size = out.size;
    CU_ASSERT_FATAL(p2_lab_run(&lab) == P2C2R_KERNEL_OK);
    P2_ASSERT_EQUAL(head(FRAGMENTS), P2_DESTRUCTION_FRAGMENTS_MAX);
    P2_ASSERT_EQUAL(head(DUST), P2_DESTRUCTION_VOXELS_MAX / 2 - P2_DESTRUCTION_FRAGMENTS_MAX);
    P2_ASSERT_EQUAL(p2_lab_check(&lab, lab.output, lab.size, 1), P2C2R_KERNEL_OK);
}

static void generated_cases_run_and_pass_their_check(void)
{
    p2_lab_generated_cases_pass(&lab, 200);
}

static void output_does_not_depend_on_the_arena(void)
{
    p2_lab_arena_does_not_matter(&lab, 30);
}

static void malformed_input_is_refused_and_nothing_else_happens(void)
{
    p2_lab_malformed_input_is_refused(&lab, 4, 60);
}

/* ---- mutations ------------------------------------------------------------------------------ */

static void add_u32(uint8_t *at, uint32_t value)
{
    p2_store_le32(at, p2_load_le32(at) + value);
}

/* Drops fragment `drop` and says its voxels stay: all else consistent. */
static void drop_fragment(uint8_t *result, size_t *size, uint32_t drop)
{
    uint32_t count = p2_load_le32(result + FRAGMENTS);
    uint8_t *records = result + P2_DESTRUCTION_OUT_HEADER;
    uint8_t *gone = records + P2_DESTRUCTION_FRAGMENT * drop;
    uint32_t first = p2_load_le32(gone), runs = p2_load_le32(gone + 4);
    uint8_t *run = records + P2_DESTRUCTION_FRAGMENT * count + 4 * first;
    add_u32(result + FRAGMENTS, UINT32_MAX);
    add_u32(result + RUNS, 0 - runs);
    add_u32(result + STAYS, p2_load_le32(gone + VOXELS));
    for (uint32_t i = drop + 1; i < count; i++) {
        add_u32(records + P2_DESTRUCTION_FRAGMENT * i, 0 - runs);
    }
    memmove(run, run + 4 * runs, *size - (size_t)(run - result) - 4 * runs);
    *size -= 4 * runs;
    memmove(gone, gone + P2_DESTRUCTION_FRAGMENT,
            *size - (size_t)(gone - result) - P2_DESTRUCTION_FRAGMENT);
    *size -= P2_DESTRUCTION_FRAGMENT;
}

static bool own_mutation(struct p2_lab *l, uint32_t kind, struct p2_kernel_random *random,
                         uint8_t *result, size_t *size)
{
    uint32_t count = p2_load_le32(result + FRAGMENTS);
    uint8_t *records = result + P2_DESTRUCTION_OUT_HEADER;
    uint32_t a = p2_kernel_random_below(random, count), b = p2_kernel_random_below(random, count);
    uint8_t record[P2_DESTRUCTION_FRAGMENT];
    (void)l;
    switch (kind) {
    case 0:
        if (count == 0) {
            return false;
        }
        drop_fragment(result, size, a);
        return true;
    case 1: /* two records swapped */
        if (count < 2) {
            return false;
        }
        memcpy(record, records + P2_DESTRUCTION_FRAGMENT * a, sizeof record);
        memcpy(records + P2_DESTRUCTION_FRAGMENT * a, records + P2_DESTRUCTION_FRAGMENT * b,
               sizeof record);
        memcpy(records + P2_DESTRUCTION_FRAGMENT * b, record, sizeof record);
        return true;
    case 2: /* a centre moved by 1/256 voxel */
        if (count == 0) {
            return false;
        }
        add_u32(records + P2_DESTRUCTION_FRAGMENT * a + CENTRE_X +
                    4 * p2_kernel_random_below(random, 3),
                1);
        return true;
    case 3: /* two neighbouring fragments reported as one */
        if (count < 2 || a + 1 >= count) {
            return false;
        }
        add_u32(records + P2_DESTRUCTION_FRAGMENT * a + 4,
                p2_load_le32(records + P2_DESTRUCTION_FRAGMENT * (a + 1) + 4));
        memmove(records + P2_DESTRUCTION_FRAGMENT * (a + 1),
                records + P2_DESTRUCTION_FRAGMENT * (a + 2),
                *size - P2_DESTRUCTION_OUT_HEADER - P2_DESTRUCTION_FRAGMENT * (a + 2));
        *size -= P2_DESTRUCTION_FRAGMENT;
        add_u32(result + FRAGMENTS, UINT32_MAX);
        return true;
    default: /* all fragments forgotten */
        if (count == 0) {
            return false;
        }
        while (p2_load_le32(result + FRAGMENTS) > 0) {
            drop_fragment(result, size, 0);
        }
        return true;
    }
}

static void check_catches_wrong_results(void)
{
    static const char *const names[] = {"a fragment left standing", "two fragments swapped",
                                        "a centre moved", "two fragments joined",
                                        "all fragments left standing"};
    const struct p2_lab_mutations own = {own_mutation, names, 5};
    P2_ASSERT_EQUAL(p2_lab_catch_rate_ppm(&lab, 150, &own), 1000000); /* it computes all again */
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(an_arch_stands_on_both_feet),
        P2_TEST(an_arch_on_one_foot_still_stands_and_on_none_falls),
        P2_TEST(a_bridge_cut_twice_drops_its_middle),
        P2_TEST(a_floating_island_is_a_fragment_and_corners_do_not_hold),
        P2_TEST(small_fragments_are_dust),
        P2_TEST(every_face_holds_when_told_so),
        P2_TEST(a_blast_takes_what_its_power_reaches),
        P2_TEST(a_snake_of_voxels_is_one_fragment),
        P2_TEST(a_checkerboard_of_the_largest_size_fits),
        P2_TEST(generated_cases_run_and_pass_their_check),
        P2_TEST(output_does_not_depend_on_the_arena),
        P2_TEST(malformed_input_is_refused_and_nothing_else_happens),
        P2_TEST(check_catches_wrong_results),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"physics_destruction", open_lab, close_lab, NULL, NULL, tests},
                             CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
