/* Data for the surrogate example: what a driven, damped pendulum does in one second. A load of 500 kg hangs on a
 * rod that may turn right round; its pivot moves sideways, as a crane's trolley does. With the angle a from straight
 * down, the rod's length l, the pivot's acceleration p and friction f (Landau and Lifshitz, Mechanics, section 5, with
 * a pivot that moves, in the pivot's frame):
 *
 *   a'' = -(g sin a + p cos a)/l - f a' - d a' |a'|    force on the rod = m (l a'^2 + g cos a - p sin a)
 *                                                      energy lost: its rate is m l^2 (f + d |a'|) a'^2
 *
 * The air's drag d is 0 unless it is given: the load as its maker calculates it, or as it is measured in the wind.
 *
 * Every sample is a start drawn at random and what the equation makes of it, by Runge and Kutta's method of fourth
 * order in 500 steps. Written are /train/x, /train/y, /test/x and /test/y: rows of doubles, whose columns and units are
 * in the attributes `columns` and `units`.
 *
 *   pendulum DEST.h5 [SAMPLES [TEST_SAMPLES [DRAG]]] */
#include <errno.h>
#include <hdf5.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GRAVITY 9.80665 /* m/s^2 */
#define MASS 500.0      /* kg */
#define SECONDS 1.0
#define STEPS 500
#define PI 3.14159265358979323846
#define MOST_SAMPLES 10000000

enum { ANGLE, VELOCITY, LENGTH, PIVOT, FRICTION, INPUTS };
enum { ANGLE_AFTER, VELOCITY_AFTER, LARGEST_FORCE, ENERGY_LOST, OUTPUTS };

typedef struct column {
    const char *name, *unit;
    double least, most; /* of inputs: drawn evenly from this range */
} column;

static const column inputs[INPUTS] = {
    [ANGLE] = {"angle", "rad", -PI, PI},         [VELOCITY] = {"velocity", "rad/s", -2.5, 2.5},
    [LENGTH] = {"length", "m", 4, 16},           [PIVOT] = {"pivot acceleration", "m/s2", -3, 3},
    [FRICTION] = {"friction", "1/s", 0.01, 0.5},
};
static const column outputs[OUTPUTS] = {
    [ANGLE_AFTER] = {"angle after", "rad", 0, 0},
    [VELOCITY_AFTER] = {"velocity after", "rad/s", 0, 0},
    [LARGEST_FORCE] = {"largest force", "N", 0, 0},
    [ENERGY_LOST] = {"energy lost", "J", 0, 0},
};

/* ---- the pendulum ---- */

typedef struct state {
    double angle, velocity, lost;
} state;

static double drag; /* without a unit: of a'' by the square of a' */

static state slope(const state *s, const double x[INPUTS]) {
    const double pull = GRAVITY * sin(s->angle) + x[PIVOT] * cos(s->angle);
    const double brake = x[FRICTION] + drag * fabs(s->velocity);
    return (state){s->velocity, -pull / x[LENGTH] - brake * s->velocity,
                   MASS * x[LENGTH] * x[LENGTH] * brake * s->velocity * s->velocity};
}

static state moved(const state *s, const state *k, double seconds) {
    return (state){s->angle + seconds * k->angle, s->velocity + seconds * k->velocity, s->lost + seconds * k->lost};
}

static void step(state *s, const double x[INPUTS], double seconds) {
    const state k1 = slope(s, x), to2 = moved(s, &k1, seconds / 2);
    const state k2 = slope(&to2, x), to3 = moved(s, &k2, seconds / 2);
    const state k3 = slope(&to3, x), to4 = moved(s, &k3, seconds);
    const state k4 = slope(&to4, x);
    s->angle += seconds / 6 * (k1.angle + 2 * k2.angle + 2 * k3.angle + k4.angle);
    s->velocity += seconds / 6 * (k1.velocity + 2 * k2.velocity + 2 * k3.velocity + k4.velocity);
    s->lost += seconds / 6 * (k1.lost + 2 * k2.lost + 2 * k3.lost + k4.lost);
}

static double force(const state *s, const double x[INPUTS]) {
    return MASS * (x[LENGTH] * s->velocity * s->velocity + GRAVITY * cos(s->angle) - x[PIVOT] * sin(s->angle));
}

static void swing(double y[OUTPUTS], const double x[INPUTS]) {
    state s = {x[ANGLE], x[VELOCITY], 0};
    double largest = fabs(force(&s, x));
    for (int i = 0; i < STEPS; i++) {
        step(&s, x, SECONDS / STEPS);
        largest = fmax(largest, fabs(force(&s, x)));
    }
    y[ANGLE_AFTER] = s.angle;
    y[VELOCITY_AFTER] = s.velocity;
    y[LARGEST_FORCE] = largest;
    y[ENERGY_LOST] = s.lost;
}

/* ---- samples ---- */

/* SplitMix64 (Steele, Lea and Flood 2014): one stream for all draws, the same file on every machine. */
static double draw(uint64_t *generator) {
    uint64_t z = *generator += 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static void make_samples(double *x, double *y, size_t count, uint64_t *generator) {
    for (size_t i = 0; i < count; i++, x += INPUTS, y += OUTPUTS) {
        for (int j = 0; j < INPUTS; j++) x[j] = inputs[j].least + draw(generator) * (inputs[j].most - inputs[j].least);
        swing(y, x);
    }
}

/* ---- the file ---- */

static void put_texts(hid_t dataset, const char *name, const column *columns, int count, int unit) {
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate_simple(1, &(hsize_t){(hsize_t)count}, NULL);
    char texts[INPUTS][32] = {{0}};
    for (int i = 0; i < count; i++) snprintf(texts[i], sizeof texts[i], "%s", unit ? columns[i].unit : columns[i].name);
    H5Tset_size(type, sizeof texts[0]);
    hid_t attribute = H5Acreate2(dataset, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(attribute, type, texts);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
}

static int put(hid_t group, const char *name, const double *values, size_t rows, const column *columns, int count) {
    hid_t space = H5Screate_simple(2, (const hsize_t[]){rows, (hsize_t)count}, NULL);
    hid_t dataset = H5Dcreate2(group, name, H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    herr_t wrote = H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    put_texts(dataset, "columns", columns, count, 0);
    put_texts(dataset, "units", columns, count, 1);
    herr_t closed = H5Dclose(dataset);
    H5Sclose(space);
    return wrote >= 0 && closed >= 0;
}

static int write_part(hid_t file, const char *name, size_t count, uint64_t *generator) {
    double *x = malloc(count * INPUTS * sizeof *x), *y = malloc(count * OUTPUTS * sizeof *y);
    int good = x && y;
    if (good) {
        make_samples(x, y, count, generator);
        hid_t group = H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        good = put(group, "x", x, count, inputs, INPUTS) && put(group, "y", y, count, outputs, OUTPUTS);
        H5Gclose(group);
    }
    free(x);
    free(y);
    return good;
}

static size_t samples_of(const char *text) {
    char *end;
    errno = 0;
    unsigned long long count = strtoull(text, &end, 10);
    if (errno == 0 && *end == '\0' && text[0] >= '0' && text[0] <= '9' && count > 0 && count <= MOST_SAMPLES)
        return (size_t)count;
    fprintf(stderr, "pendulum: \"%s\" is no number of samples; it must be 1 to %d\n", text, MOST_SAMPLES);
    exit(2);
}

static double drag_of(const char *text) {
    char *end;
    double value = strtod(text, &end);
    if (end != text && *end == '\0' && value >= 0 && value <= 10) return value;
    fprintf(stderr, "pendulum: \"%s\" is no drag; it must be 0 to 10\n", text);
    exit(2);
}

int main(int argc, char **argv) {
    if (argc < 2 || argc > 5 || argv[1][0] == '-') {
        fprintf(stderr, "usage: pendulum DEST.h5 [SAMPLES [TEST_SAMPLES [DRAG]]]\n");
        return 2;
    }
    const size_t samples = argc > 2 ? samples_of(argv[2]) : 20000, test = argc > 3 ? samples_of(argv[3]) : 2000;
    drag = argc > 4 ? drag_of(argv[4]) : 0;
    uint64_t generator = drag > 0 ? 2 : 1; /* other samples, too */
    hid_t file = H5Fcreate(argv[1], H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    if (file < 0) return 1; /* HDF5 has said why */
    int good = write_part(file, "train", samples, &generator) && write_part(file, "test", test, &generator);
    if (H5Fclose(file) < 0 || !good) {
        fprintf(stderr, "pendulum: %s could not be written\n", argv[1]);
        remove(argv[1]);
        return 1;
    }
    printf("%s: %zu training and %zu test samples of a pendulum: %d inputs, %d outputs\n", argv[1], samples, test,
           INPUTS, OUTPUTS);
    return 0;
}
