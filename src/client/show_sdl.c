/* The game in a window. The only includer of SDL.
 *
 * Keys: w a s d walk, mouse look (a click catches it, Escape lets it go), left and right button or
 * f and g first and second, b third, e use, space jump, 0..9 or the wheel what is in the hand, F1
 * figures, F2 who drew what, F3 the other view, F4 late warp, F11 full screen, the window's close
 * button or Ctrl-Q the end. */
#include "client/show.h"

#include <SDL2/SDL.h>
#include <stdlib.h>

#define LOOK_PER_PIXEL 28 /* 1/65536 turn: 0.15 degrees a pixel, as most games */

struct p2_show {
    SDL_Window *window;
    SDL_Renderer *renderer;
    SDL_Texture *texture;
    struct p2c2r_pad pad;
    uint32_t width, height;
    bool is_caught;
};

static void close_sdl(struct p2_show *show)
{
    if (show != NULL) {
        SDL_DestroyTexture(show->texture);
        SDL_DestroyRenderer(show->renderer);
        SDL_DestroyWindow(show->window);
        SDL_Quit();
        free(show);
    }
}

static SDL_Renderer *make_renderer(SDL_Window *window, bool has_vsync)
{
    SDL_Renderer *renderer =
        SDL_CreateRenderer(window, -1, has_vsync ? SDL_RENDERER_PRESENTVSYNC : 0);
    return renderer != NULL ? renderer : SDL_CreateRenderer(window, -1, SDL_RENDERER_SOFTWARE);
}

static int open_sdl(struct p2_show **ret_show, const struct p2_show_options *options,
                    struct p2_failure *failure)
{
    SDL_SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1"); /* the loop has them */
    if (SDL_Init(SDL_INIT_VIDEO) != 0) {
        return p2_fail(failure, P2_E_UNSUPPORTED, "no window: %s", SDL_GetError());
    }
    struct p2_show *show = calloc(1, sizeof *show);
    if (show == NULL) {
        SDL_Quit();
        return p2_fail(failure, P2_E_NOMEM, "no memory");
    }
    show->width = options->width;
    show->height = options->height;
    show->window = SDL_CreateWindow(options->title, SDL_WINDOWPOS_CENTERED, SDL_WINDOWPOS_CENTERED,
                                    (int)options->width, (int)options->height,
                                    SDL_WINDOW_RESIZABLE | SDL_WINDOW_ALLOW_HIGHDPI);
    show->renderer = show->window != NULL ? make_renderer(show->window, options->has_vsync) : NULL;
    if (show->renderer != NULL) {
        (void)SDL_RenderSetLogicalSize(show->renderer, (int)options->width, (int)options->height);
        show->texture =
            SDL_CreateTexture(show->renderer, SDL_PIXELFORMAT_RGB24, SDL_TEXTUREACCESS_STREAMING,
                              (int)options->width, (int)options->height);
    }
    if (show->texture == NULL) {
        int error = p2_fail(failure, P2_E_UNSUPPORTED, "no window: %s", SDL_GetError());
        close_sdl(show);
        return error;
    }
    *ret_show = show;
    return P2_OK;
}

static void size_sdl(const struct p2_show *show, uint32_t *ret_width, uint32_t *ret_height)
{
    *ret_width = show->width;
    *ret_height = show->height;
}

static void catch_mouse(struct p2_show *show, bool is_caught)
{
    show->is_caught = is_caught;
    (void)SDL_SetRelativeMouseMode(is_caught ? SDL_TRUE : SDL_FALSE);
}

static void turn(struct p2_show *show, int x, int y)
{
    int pitch = show->pad.pitch - y * LOOK_PER_PIXEL;
    show->pad.yaw = (uint16_t)(show->pad.yaw + x * LOOK_PER_PIXEL);
    show->pad.pitch = (int16_t)(pitch > P2C2R_SCENE_PITCH_MAX    ? P2C2R_SCENE_PITCH_MAX
                                : pitch < -P2C2R_SCENE_PITCH_MAX ? -P2C2R_SCENE_PITCH_MAX
                                                                 : pitch);
}

static void take_key(struct p2_show *show, const SDL_KeyboardEvent *event, struct p2_intent *intent)
{
    SDL_Keycode key = event->keysym.sym;
    if (event->repeat != 0) {
        return;
    }
    if (key >= SDLK_0 && key <= SDLK_9) {
        show->pad.slot = (uint8_t)(key - SDLK_0);
    } else if (key == SDLK_ESCAPE) {
        catch_mouse(show, false);
    } else if (key == SDLK_F11) {
        bool is_full = (SDL_GetWindowFlags(show->window) & SDL_WINDOW_FULLSCREEN_DESKTOP) != 0;
        (void)SDL_SetWindowFullscreen(show->window, is_full ? 0 : SDL_WINDOW_FULLSCREEN_DESKTOP);
    }
    intent->toggles_figures ^= key == SDLK_F1;
    intent->toggles_tint ^= key == SDLK_F2;
    intent->toggles_view ^= key == SDLK_F3;
    intent->toggles_warp ^= key == SDLK_F4;
    intent->quits = intent->quits || (key == SDLK_q && (event->keysym.mod & KMOD_CTRL) != 0);
}

static void take_event(struct p2_show *show, const SDL_Event *event, struct p2_intent *intent)
{
    switch (event->type) {
    case SDL_QUIT:
        intent->quits = true;
        break;
    case SDL_KEYDOWN:
        take_key(show, &event->key, intent);
        break;
    case SDL_MOUSEBUTTONDOWN:
        if (!show->is_caught) {
            catch_mouse(show, true);
        }
        break;
    case SDL_MOUSEMOTION:
        if (show->is_caught) {
            turn(show, event->motion.xrel, event->motion.yrel);
        }
        break;
    case SDL_MOUSEWHEEL:
        show->pad.slot = (uint8_t)((show->pad.slot + (event->wheel.y > 0 ? 1 : 15)) & 15);
        break;
    case SDL_WINDOWEVENT:
        if (event->window.event == SDL_WINDOWEVENT_FOCUS_LOST) {
            catch_mouse(show, false);
        }
        break;
    default:
        break;
    }
}

static void poll_sdl(struct p2_show *show, struct p2_intent *intent)
{
    SDL_Event event;
    while (SDL_PollEvent(&event) != 0) {
        take_event(show, &event, intent);
    }
    const uint8_t *keys = SDL_GetKeyboardState(NULL);
    uint32_t mouse = show->is_caught ? SDL_GetMouseState(NULL, NULL) : 0;
    show->pad.forward = (int8_t)(127 * (keys[SDL_SCANCODE_W] - keys[SDL_SCANCODE_S]));
    show->pad.right = (int8_t)(127 * (keys[SDL_SCANCODE_D] - keys[SDL_SCANCODE_A]));
    bool is_first = keys[SDL_SCANCODE_F] != 0 || (mouse & SDL_BUTTON_LMASK) != 0;
    bool is_second = keys[SDL_SCANCODE_G] != 0 || (mouse & SDL_BUTTON_RMASK) != 0;
    show->pad.buttons =
        (uint8_t)((keys[SDL_SCANCODE_SPACE] != 0 ? P2C2R_PAD_JUMP : 0) |
                  (is_first ? P2C2R_PAD_FIRST : 0) | (is_second ? P2C2R_PAD_SECOND : 0) |
                  (keys[SDL_SCANCODE_B] != 0 ? P2C2R_PAD_THIRD : 0) |
                  (keys[SDL_SCANCODE_E] != 0 ? P2C2R_PAD_USE : 0));
    intent->pad = show->pad;
}

static int present_sdl(struct p2_show *show, const struct p2_view *view,
                       const struct p2_gamer *gamer, bool is_fresh, struct p2_failure *failure)
{
    (void)gamer;
    (void)is_fresh;
    if (SDL_UpdateTexture(show->texture, NULL, view->rgb, (int)view->width * 3) != 0) {
        return p2_fail(failure, P2_E_IO, "the window: %s", SDL_GetError());
    }
    (void)SDL_RenderClear(show->renderer);
    (void)SDL_RenderCopy(show->renderer, show->texture, NULL, NULL);
    SDL_RenderPresent(show->renderer);
    return P2_OK;
}

const struct p2_show_ops p2_show_sdl = {.open = open_sdl,
                                        .size = size_sdl,
                                        .poll = poll_sdl,
                                        .present = present_sdl,
                                        .close = close_sdl};
