/* The kernel table: one row per kernel; see doc/kernels.md. */
#include "kernels/registry.h"

#include "kernels/ai_npc_dialogue.h"
#include "kernels/ai_pathfinding.h"
#include "kernels/ai_procedural.h"
#include "kernels/compress.h"
#include "kernels/physics_destruction.h"
#include "kernels/physics_fluid.h"
#include "kernels/physics_rigid_body.h"
#include "kernels/rt_global_illumination.h"
#include "kernels/rt_reflections.h"
#include "kernels/rt_render_tile.h"
#include "kernels/rt_shadows.h"

#include <string.h>

/* Each row's kernel is defined in the source of its own name; NULL ends the table. */
static const struct p2c2r_kernel *const kernels[] = {
    &p2_kernel_physics_rigid_body,
    &p2_kernel_physics_fluid,
    &p2_kernel_physics_destruction,
    &p2_kernel_ai_pathfinding,
    &p2_kernel_ai_npc_dialogue,
    &p2_kernel_ai_procedural,
    &p2_kernel_rt_render_tile,
    &p2_kernel_rt_reflections,
    &p2_kernel_rt_shadows,
    &p2_kernel_rt_global_illumination,
    &p2_kernel_compress,
    NULL,
};

size_t p2_kernel_count(void)
{
    size_t count = 0;
    while (kernels[count] != NULL) {
        count++;
    }
    return count;
}

const struct p2c2r_kernel *p2_kernel_at(size_t index)
{
    return index < p2_kernel_count() ? kernels[index] : NULL;
}

const struct p2c2r_kernel *p2_kernel_find(const char *name)
{
    for (size_t i = 0; kernels[i] != NULL; i++) {
        if (strcmp(kernels[i]->name, name) == 0) {
            return kernels[i];
        }
    }
    return NULL;
}
