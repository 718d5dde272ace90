#include "tests/lib/kernel-lab.h"
#include "tests/lib/test.h"

#include "kernels/physics_rigid_body.h"

#include <math.h>

static struct p2_lab lab;

static int open_lab(void)
{
    return p2_lab_open(&lab, &p2_kernel_physics_rigid_body);
}

static int close_lab(void)
{
    p2_lab_close(&lab);
    return 0;
}

/* ---- scenes --------------------------------------------------------------------------------- */

#define STEP 0.015625F /* 1/64 s: exact in binary, so that sums by hand are */

static struct p2_pack out;

static void pack3(float x, float y, float z)
{
    p2_pack_f32(&out, x);
    p2_pack_f32(&out, y);
    p2_pack_f32(&out, z);
}

static void begin(uint32_t bodies, uint32_t planes, uint32_t steps, float gravity)
{
    out = p2_pack_start(lab.test_case.input, P2C2R_INPUT_MAX);
    p2_pack_u16(&out, (uint16_t)bodies);
    p2_pack_u16(&out, 0);
    p2_pack_u8(&out, (uint8_t)planes);
    p2_pack_u8(&out, (uint8_t)steps);
    p2_pack_u8(&out, 16);
    p2_pack_u8(&out, 0);
    p2_pack_f32(&out, STEP);
    pack3(0.0F, 0.0F, -gravity);
    lab.test_case.input_size = out.size;
}

static void ground(float friction)
{
    pack3(0.0F, 0.0F, 1.0F);
    p2_pack_f32(&out, 0.0F);
    p2_pack_f32(&out, friction);
    p2_pack_f32(&out, 0.0F);
    lab.test_case.input_size = out.size;
}

struct body {
    bool is_box;
    float half[3], mass, friction, restitution;
    float position[3], velocity[3], spin[3];
};

static void add(struct body body)
{
    p2_pack_u32(&out, 7);
    p2_pack_u8(&out, body.is_box);
    p2_pack_u8(&out, 0);
    p2_pack_u16(&out, 0);
    p2_pack_f32(&out, body.mass);
    p2_pack_f32(&out, body.friction);
    p2_pack_f32(&out, body.restitution);
    pack3(body.half[0], body.half[1], body.half[2]);
    pack3(body.position[0], body.position[1], body.position[2]);
    p2_pack_f32(&out, 1.0F);
    pack3(0.0F, 0.0F, 0.0F);
    pack3(body.velocity[0], body.velocity[1], body.velocity[2]);
    pack3(body.spin[0], body.spin[1], body.spin[2]);
    lab.test_case.input_size = out.size;
}

/* The record of body `i` in the input; bodies come last. */
static uint8_t *record(uint32_t i)
{
    uint32_t bodies = p2_load_le16(lab.test_case.input);
    return lab.test_case.input + lab.test_case.input_size - (size_t)(bodies - i) * P2_RIGID_BODY;
}

/* A number of the state that advance() left in the input. */
enum { POSITION = 32, ORIENTATION = 44, VELOCITY = 60, SPIN = 72, MASS = 8, HALF = 20 };

static float number(uint32_t i, size_t offset, size_t axis)
{
    return p2_f32_of_bits(p2_load_le32(record(i) + offset + 4 * axis));
}

/* Runs, checks, and makes the result the next input. */
static void advance(void)
{
    CU_ASSERT_FATAL(p2_lab_run(&lab) == P2C2R_KERNEL_OK);
    CU_ASSERT_FATAL(p2_lab_check(&lab, lab.output, lab.size, 1) == P2C2R_KERNEL_OK);
    uint32_t bodies = p2_load_le16(lab.test_case.input), steps = lab.test_case.input[5];
    for (uint32_t i = 0; i < bodies; i++) {
        const uint8_t *from = lab.output + P2_RIGID_OUT_HEADER + (size_t)P2_RIGID_OUT_BODY * i;
        const uint8_t *motion = lab.output + P2_RIGID_OUT_HEADER +
                                (size_t)P2_RIGID_OUT_BODY * bodies +
                                (size_t)P2_RIGID_OUT_MOTION * (bodies * (steps - 1) + i);
        record(i)[5] = from[4];
        memcpy(record(i) + 6, from + 6, 2);
        memcpy(record(i) + POSITION, from + 8, 28);
        memcpy(record(i) + VELOCITY, motion, 24);
    }
}

/* Energy in joules for boxes and spheres; gravity along -z. */
static double energy(float gravity)
{
    uint32_t bodies = p2_load_le16(lab.test_case.input);
    double sum = 0.0;
    for (uint32_t i = 0; i < bodies; i++) {
        double mass = (double)number(i, MASS, 0), v2 = 0.0, rotational = 0.0;
        double w = (double)number(i, ORIENTATION, 0), q[3], s[3], h[3];
        for (size_t k = 0; k < 3; k++) {
            q[k] = (double)number(i, ORIENTATION, k + 1);
            s[k] = (double)number(i, SPIN, k);
            h[k] = (double)number(i, HALF, k);
            v2 += (double)number(i, VELOCITY, k) * (double)number(i, VELOCITY, k);
        }
        for (size_t k = 0; k < 3; k++) {
            /* Spin about the body's axis k: row k of the transposed rotation matrix. */
            size_t a = (k + 1) % 3, b = (k + 2) % 3;
            double local = (w * w + q[k] * q[k] - q[a] * q[a] - q[b] * q[b]) * s[k] +
                           2.0 * (q[k] * q[a] + w * q[b]) * s[a] +
                           2.0 * (q[k] * q[b] - w * q[a]) * s[b];
            double inertia = record(i)[4] == 1 ? mass / 3.0 * (h[a] * h[a] + h[b] * h[b])
                                               : 0.4 * mass * h[0] * h[0];
            rotational += inertia * local * local;
        }
        sum += 0.5 * mass * v2 + 0.5 * rotational +
               mass * (double)gravity * (double)number(i, POSITION, 2);
    }
    return sum;
}

/* ---- truth ---------------------------------------------------------------------------------- */

static void free_fall_is_the_semi_implicit_euler_sum(void)
{
    begin(1, 0, 8, 8.0F);
    add((struct body){.is_box = true,
                      .half = {1, 1, 1},
                      .mass = 3.0F,
                      .position = {0, 0, 100.0F},
                      .velocity = {2.0F, 0, 4.0F}});
    for (uint32_t call = 0; call < 8; call++) {
        advance();
    }
    /* n = 64 steps of 1/64 s: v = 4 - 8 = -4; z = 100 + 4 - 8 dt^2 n (n + 1) / 2
     * = 104 - 4.0625; all exact in binary32. */
    CU_ASSERT(number(0, VELOCITY, 2) == -4.0F);
    CU_ASSERT(number(0, POSITION, 2) == 99.9375F);
    CU_ASSERT(number(0, POSITION, 0) == 2.0F);
}

static void equal_spheres_exchange_their_velocities(void)
{
    begin(2, 0, 8, 0.0F);
    add((struct body){.half = {0.5F}, .mass = 2.0F, .restitution = 1.0F, .velocity = {3.0F, 0, 0}});
    add((struct body){.half = {0.5F}, .mass = 2.0F, .restitution = 1.0F, .position = {1.2F, 0, 0}});
    advance();
    advance();
    CU_ASSERT(fabsf(number(0, VELOCITY, 0)) < 1e-5F);
    CU_ASSERT(fabsf(number(1, VELOCITY, 0) - 3.0F) < 1e-5F);
    CU_ASSERT(number(1, VELOCITY, 1) == 0.0F && number(1, SPIN, 2) == 0.0F);
}

static void unequal_spheres_collide_as_the_formula_says(void)
{
    /* m1 = 1 at 4 m/s meets m2 = 3 at rest, e = 1: v1 = (1 - 3) / 4 * 4 = -2, v2 = 2 * 4 / 4 = 2.
     * With e = 0.5: v1 = (4 - 0.5 * 3 * 4) / 4 = -0.5, v2 = (4 + 0.5 * 4) / 4 = 1.5. */
    static const float expected[2][3] = {{1.0F, -2.0F, 2.0F}, {0.5F, -0.5F, 1.5F}};
    for (size_t i = 0; i < 2; i++) {
        begin(2, 0, 8, 0.0F);
        add((struct body){.half = {0.25F},
                          .mass = 1.0F,
                          .restitution = expected[i][0],
                          .velocity = {0, 4.0F, 0}});
        add((struct body){
            .half = {0.5F}, .mass = 3.0F, .restitution = expected[i][0], .position = {0, 1.0F, 0}});
        advance();
        CU_ASSERT(fabsf(number(0, VELOCITY, 1) - expected[i][1]) < 1e-5F);
        CU_ASSERT(fabsf(number(1, VELOCITY, 1) - expected[i][2]) < 1e-5F);
    }
}

static void eight_stacked_boxes_rest(uint32_t steps)
{
    begin(8, 1, steps, 9.8125F);
    ground(0.6F);
    for (uint32_t i = 0; i < 8; i++) {
        add((struct body){.is_box = true,
                          .half = {0.5F, 0.5F, 0.5F},
                          .mass = 10.0F,
                          .friction = 0.6F,
                          .position = {0, 0, 0.5F + (float)i}});
    }
    bool is_asleep = true;
    for (uint32_t step = 0; step < 600; step += steps) {
        advance();
        for (uint32_t i = 0; i < 8; i++) {
            /* Boxes of 1 m settle within five centimetres of where they were put. */
            CU_ASSERT(fabsf(number(i, POSITION, 0)) < 0.05F);
            CU_ASSERT(fabsf(number(i, POSITION, 1)) < 0.05F);
            CU_ASSERT(fabsf(number(i, POSITION, 2) - 0.5F - (float)i) < 0.05F);
        }
    }
    for (uint32_t i = 0; i < 8; i++) {
        is_asleep = is_asleep && record(i)[5] == 1;
    }
    CU_ASSERT(is_asleep);
}

static void a_stack_of_eight_rests_for_600_steps_and_falls_asleep(void)
{
    eight_stacked_boxes_rest(8);
    eight_stacked_boxes_rest(1); /* without any warm start */
}

static void a_sleeping_stack_keeps_every_bit_and_wakes_when_hit(void)
{
    eight_stacked_boxes_rest(8);
    uint8_t before[8 * P2_RIGID_BODY], *bodies = record(0);
    memcpy(before, bodies, sizeof before);
    advance();
    for (uint32_t i = 0; i < 8; i++) {
        P2_ASSERT_BYTES(record(i) + POSITION, before + P2_RIGID_BODY * i + POSITION, 52);
    }
    p2_store_le16(lab.test_case.input, 9);
    out.size = lab.test_case.input_size;
    add((struct body){.is_box = true,
                      .half = {0.5F, 0.5F, 0.5F},
                      .mass = 10.0F,
                      .position = {-2.0F, 0, 7.5F},
                      .velocity = {12.0F, 0, 0}});
    for (uint32_t call = 0; call < 4; call++) {
        advance();
    }
    CU_ASSERT(record(7)[5] == 0);
    CU_ASSERT(number(7, VELOCITY, 0) > 1.0F);
}

static void friction_stops_a_box_where_the_hand_says(void)
{
    /* mu = sqrt(0.5 * 0.5), g = 8: a = 4 m/s^2, v = 4 m/s: stops after 1 s and 2 m; steps of
     * 1/64 s sum to 2 m minus v dt / 2 = 1.96875 m. A low, wide box does not tip. */
    begin(1, 1, 8, 8.0F);
    ground(0.5F);
    add((struct body){.is_box = true,
                      .half = {0.5F, 0.5F, 0.1F},
                      .mass = 5.0F,
                      .friction = 0.5F,
                      .position = {0, 0, 0.1F},
                      .velocity = {2.4F, 3.2F, 0}});
    for (uint32_t call = 0; call < 12; call++) {
        advance();
    }
    float x = number(0, POSITION, 0), y = number(0, POSITION, 1);
    CU_ASSERT(fabsf(sqrtf(x * x + y * y) - 1.96875F) < 0.03F);
    CU_ASSERT(fabsf(x / y - 0.75F) < 0.01F); /* straight: 2.4 : 3.2 */
    CU_ASSERT(fabsf(number(0, VELOCITY, 0)) < 1e-3F);
}

static void without_friction_a_box_slides_on(void)
{
    begin(1, 1, 8, 8.0F);
    ground(0.0F);
    add((struct body){.is_box = true,
                      .half = {0.5F, 0.5F, 0.5F},
                      .mass = 5.0F,
                      .friction = 0.5F,
                      .position = {0, 0, 0.5F},
                      .velocity = {4.0F, 0, 0}});
    for (uint32_t call = 0; call < 8; call++) {
        advance();
    }
    CU_ASSERT(fabsf(number(0, VELOCITY, 0) - 4.0F) < 1e-4F);
}

static void momentum_is_conserved_in_free_collisions(void)
{
    struct p2_kernel_random random = p2_kernel_random_start(5, 0);
    begin(24, 0, 8, 0.0F);
    for (uint32_t i = 0; i < 24; i++) {
        struct body body = {.is_box = (i & 1) != 0,
                            .half = {0.4F, i & 1 ? 0.3F : 0, i & 1 ? 0.2F : 0},
                            .mass = 1.0F + (float)i,
                            .friction = 0.5F,
                            .restitution = 0.3F,
                            .position = {(float)(i % 3), (float)(i / 3 % 3), (float)(i / 9)}};
        for (size_t k = 0; k < 3; k++) {
            body.velocity[k] = p2_kernel_random_f32(&random, -3.0F, 3.0F);
            body.spin[k] = p2_kernel_random_f32(&random, -3.0F, 3.0F);
        }
        add(body);
    }
    double first[3] = {0, 0, 0}, scale = 0.0, before = energy(0.0F);
    for (uint32_t call = 0; call <= 20; call++) {
        double sum[3] = {0, 0, 0};
        for (uint32_t i = 0; i < 24; i++) {
            for (size_t k = 0; k < 3; k++) {
                double part = (double)number(i, MASS, 0) * (double)number(i, VELOCITY, k);
                sum[k] += part;
                scale += call == 0 ? fabs(part) : 0.0;
            }
        }
        for (size_t k = 0; k < 3; k++) {
            first[k] = call == 0 ? sum[k] : first[k];
            CU_ASSERT(fabs(sum[k] - first[k]) < 1e-5 * scale);
        }
        advance();
    }
    CU_ASSERT(energy(0.0F) < before); /* restitution 0.3 and friction took some */
}

static void energy_never_grows_in_a_falling_pile(void)
{
    for (uint32_t seed = 0; seed < 4; seed++) {
        struct p2_kernel_random random = p2_kernel_random_start(6, seed);
        begin(40, 1, 4, 9.8125F);
        ground(0.5F);
        for (uint32_t i = 0; i < 40; i++) {
            struct body body = {.is_box = true,
                                .half = {0.3F, 0.2F, 0.25F},
                                .mass = 20.0F,
                                .friction = 0.5F,
                                .restitution = 0.2F * (float)seed,
                                .position = {0.8F * (float)(i % 3), 0.8F * (float)(i / 3 % 3),
                                             1.0F + 0.8F * (float)(i / 9)}};
            for (size_t k = 0; k < 3; k++) {
                body.spin[k] = p2_kernel_random_f32(&random, -6.0F, 6.0F);
            }
            add(body);
        }
        double start = energy(9.8125F), last = start;
        for (uint32_t call = 0; call < 100; call++) {
            advance();
            double now = energy(9.8125F);
            /* 800 kg: half a percent of the start covers pushing bodies out of overlaps. */
            CU_ASSERT(now < last + 0.005 * start);
            last = now < last ? now : last;
        }
        CU_ASSERT(last < 0.5 * start);
        for (uint32_t i = 0; i < 40; i++) { /* nothing sank or flew away */
            CU_ASSERT(number(i, POSITION, 2) > 0.15F && number(i, POSITION, 2) < 6.0F);
        }
    }
}

static void a_tumbling_box_keeps_its_energy_or_loses_some(void)
{
    begin(1, 0, 8, 0.0F);
    add((struct body){
        .is_box = true, .half = {0.5F, 0.1F, 0.3F}, .mass = 4.0F, .spin = {0.1F, 0.1F, 6.0F}});
    double start = energy(0.0F), last = start;
    for (uint32_t call = 0; call < 50; call++) {
        advance();
        CU_ASSERT(energy(0.0F) <= last * 1.0005);
        last = energy(0.0F);
    }
    CU_ASSERT(last > 0.3 * start);
}

static void a_sphere_bounces_to_the_height_of_its_restitution(void)
{
    /* From 4 m above its rest with e = 0.5 it returns to a quarter: 1 m, less half a step's fall. */
    begin(1, 1, 1, 8.0F);
    ground(0.0F);
    add((struct body){.half = {0.5F}, .mass = 1.0F, .restitution = 0.5F, .position = {0, 0, 4.5F}});
    float highest = 0.0F;
    bool has_bounced = false;
    for (uint32_t step = 0; step < 128; step++) {
        advance();
        has_bounced = has_bounced || number(0, VELOCITY, 2) > 0.0F;
        float height = number(0, POSITION, 2) - 0.5F;
        highest = has_bounced && height > highest ? height : highest;
    }
    CU_ASSERT(fabsf(highest - 1.0F) < 0.08F);
}

static void limits_are_enforced(void)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY, 3000.0F};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        for (size_t offset = MASS; offset < P2_RIGID_BODY; offset += 4) {
            if (bad[i] <= 100000.0F && bad[i] >= 0.0F && offset == MASS) {
                continue;
            }
            begin(1, 0, 1, 8.0F);
            add((struct body){.is_box = true, .half = {1, 1, 1}, .mass = 1.0F});
            p2_store_le32(record(0) + offset, p2_bits_of_f32(bad[i]));
            P2_ASSERT_EQUAL(p2_lab_run(&lab), P2C2R_KERNEL_BAD_INPUT);
        }
    }
    begin(1, 0, 1, 8.0F);
    add((struct body){.is_box = true, .half = {1, 1, 1}, .mass = 1.0F, .velocity = {1.0F, 0, 0}});
    record(0)[5] = 1; /* asleep and moving */
    P2_ASSERT_EQUAL(p2_lab_run(&lab), P2C2R_KERNEL_BAD_INPUT);
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

static void add_f32(uint8_t *at, float value)
{
    p2_store_le32(at, p2_bits_of_f32(p2_f32_of_bits(p2_load_le32(at)) + value));
}

static bool own_mutation(struct p2_lab *l, uint32_t kind, struct p2_kernel_random *random,
                         uint8_t *result, size_t *size)
{
    uint32_t bodies = p2_load_le16(l->test_case.input), steps = l->test_case.input[5];
    uint32_t i = p2_kernel_random_below(random, bodies);
    uint32_t axis = p2_kernel_random_below(random, 3), k = p2_kernel_random_below(random, bodies);
    uint8_t *body = result + P2_RIGID_OUT_HEADER + (size_t)P2_RIGID_OUT_BODY * i, copy[36];
    uint8_t *other = result + P2_RIGID_OUT_HEADER + (size_t)P2_RIGID_OUT_BODY * k;
    uint8_t *motion = result + *size - (size_t)P2_RIGID_OUT_MOTION * (bodies - i);
    const uint8_t *in =
        l->test_case.input + l->test_case.input_size - (size_t)P2_RIGID_BODY * (bodies - i);
    switch (kind) {
    case 0: /* teleported */
        add_f32(body + 8 + 4 * axis, p2_kernel_random_f32(random, 0.5F, 5.0F));
        return true;
    case 1: /* nudged by a millimetre */
        add_f32(body + 8 + 4 * axis, 0.001F);
        return true;
    case 2: /* two bodies exchanged */
        memcpy(copy, body, sizeof copy);
        memcpy(body, other, sizeof copy);
        memcpy(other, copy, sizeof copy);
        return true;
    case 3: /* a body left where it was */
        memcpy(body + 8, in + POSITION, 28);
        return true;
    case 4: /* an earlier step's velocities */
        if (steps < 2) {
            return false;
        }
        memcpy(motion, motion - (size_t)P2_RIGID_OUT_MOTION * bodies, P2_RIGID_OUT_MOTION);
        return true;
    case 5: { /* a kick in the last step, with the position it leads to: a lie that adds up */
        float kick = p2_kernel_random_f32(random, 0.5F, 8.0F);
        /* As the kernel computes it, from the position before the last step. */
        float at = p2_f32_of_bits(p2_load_le32(in + POSITION + 4 * axis)), v = 0.0F;
        for (uint32_t step = 0; step < steps; step++) {
            uint8_t *now = motion - (size_t)P2_RIGID_OUT_MOTION * bodies * (steps - 1 - step);
            if (step + 1 == steps) {
                add_f32(now + 4 * axis, kick);
            }
            v = p2_f32_of_bits(p2_load_le32(now + 4 * axis));
            at = at + v * p2_f32_of_bits(p2_load_le32(l->test_case.input + 8));
        }
        p2_store_le32(body + 8 + 4 * axis, p2_bits_of_f32(at));
        return true;
    }
    default: /* velocity's smallest step up */
        p2_store_le32(motion + 4 * axis, p2_load_le32(motion + 4 * axis) + 1);
        return true;
    }
}

static void check_catches_wrong_results(void)
{
    static const char *const names[] = {
        "teleported",          "nudged",          "two bodies exchanged",    "left behind",
        "an earlier velocity", "consistent kick", "velocity off by one unit"};
    const struct p2_lab_mutations own = {own_mutation, names, 7};
    CU_ASSERT(p2_lab_catch_rate_ppm(&lab, 150, &own) >= 900000);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(free_fall_is_the_semi_implicit_euler_sum),
        P2_TEST(equal_spheres_exchange_their_velocities),
        P2_TEST(unequal_spheres_collide_as_the_formula_says),
        P2_TEST(a_stack_of_eight_rests_for_600_steps_and_falls_asleep),
        P2_TEST(a_sleeping_stack_keeps_every_bit_and_wakes_when_hit),
        P2_TEST(friction_stops_a_box_where_the_hand_says),
        P2_TEST(without_friction_a_box_slides_on),
        P2_TEST(momentum_is_conserved_in_free_collisions),
        P2_TEST(energy_never_grows_in_a_falling_pile),
        P2_TEST(a_tumbling_box_keeps_its_energy_or_loses_some),
        P2_TEST(a_sphere_bounces_to_the_height_of_its_restitution),
        P2_TEST(limits_are_enforced),
        P2_TEST(generated_cases_run_and_pass_their_check),
        P2_TEST(output_does_not_depend_on_the_arena),
        P2_TEST(malformed_input_is_refused_and_nothing_else_happens),
        P2_TEST(check_catches_wrong_results),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"physics_rigid_body", open_lab, close_lab, NULL, NULL, tests},
                             CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
