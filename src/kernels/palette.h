/* What a palette byte means: material in the high four bits, light level in the low four.
 *
 * Pictures are made of these bytes because they compress well and compare bit for bit: light is a
 * whole number of levels, never a blend. A client turns them into colours with the one fixed table
 * below; day, dusk and night are levels and sky materials, not other tables. Dark levels are
 * bluish (the eye at night), middle ones warm (lantern light), the highest white.
 *
 * Pure functions over constants. Thread: any. */
#ifndef P2_KERNELS_PALETTE_H
#define P2_KERNELS_PALETTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Materials of voxels (1..13) and of what a ray meets instead of a voxel (0, 14, 15). A scene may
 * hold all of 1..15; 0 is air. */
enum p2_material {
    P2_MATERIAL_SKY = 0,
    P2_MATERIAL_GRASS = 1,
    P2_MATERIAL_DIRT = 2,
    P2_MATERIAL_STONE = 3,
    P2_MATERIAL_SAND = 4,
    P2_MATERIAL_WATER = 5,
    P2_MATERIAL_WOOD = 6,
    P2_MATERIAL_LEAVES = 7,
    P2_MATERIAL_PLANKS = 8,
    P2_MATERIAL_ROOF = 9,
    P2_MATERIAL_GLASS = 10,
    P2_MATERIAL_LANTERN = 11, /* gives light: always at the highest level; also the sun's disc */
    P2_MATERIAL_CLOUD = 12,   /* snow, clouds, the moon, stars */
    P2_MATERIAL_ORE = 13,
    P2_MATERIAL_HAZE = 14, /* land too far away to have a colour */
    P2_MATERIAL_GLOW = 15  /* sky around a low sun */
};
#define P2_MATERIALS    16u
#define P2_LEVEL_MAX    15u
#define P2_PALETTE_SIZE 256u

static inline uint8_t p2_palette_byte(unsigned material, unsigned level)
{
    return (uint8_t)((material & 15u) << 4 | (level & 15u));
}

static inline unsigned p2_palette_material(uint8_t byte)
{
    return byte >> 4;
}

static inline unsigned p2_palette_level(uint8_t byte)
{
    return byte & 15u;
}

/* The colour of every byte: rgb[256][3], 0..255 each. */
void p2_palette_table(uint8_t rgb[P2_PALETTE_SIZE][3]);

/* True for materials that take light from outside; false for sky, glow and things that shine. */
bool p2_palette_is_lit(unsigned material);

/* `byte` with `levels` more light (or less, if negative), kept within 0..15. Bytes whose material
 * takes no light stay as they are. This is how the parts of a picture are put together. */
uint8_t p2_palette_add_light(uint8_t byte, int levels);

#endif
