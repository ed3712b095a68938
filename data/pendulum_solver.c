/* A simulation that calls a trained network where it would integrate an equation: one minute of the pendulum that
 * pendulum.c makes data of, second by second, while its pivot moves to and fro. Beside it goes the equation itself, so
 * that what the network gets wrong can be seen.
 *
 *   cc data/pendulum_solver.c -o pendulum_solver $(pkg-config --cflags --libs dtrain) -lm
 *   ./pendulum_solver runs/pendulum */
#include <dtrain/dtrain.h>
#include <math.h>
#include <stdio.h>

#define GRAVITY 9.80665 /* m/s^2 */
#define PI 3.14159265358979323846

enum { ANGLE, VELOCITY, LENGTH, PIVOT, FRICTION, INPUTS };
enum { ANGLE_AFTER, VELOCITY_AFTER, LARGEST_FORCE, ENERGY_LOST, OUTPUTS };

/* One second of the equation, by small steps of Stoermer and Verlet's method. */
static void integrate(double *angle, double *velocity, const double x[INPUTS]) {
    const int steps = 20000;
    for (int i = 0; i < steps; i++) {
        *angle += *velocity / (2 * steps);
        double pull = GRAVITY * sin(*angle) + x[PIVOT] * cos(*angle);
        *velocity += (-pull / x[LENGTH] - x[FRICTION] * *velocity) / steps;
        *angle += *velocity / (2 * steps);
    }
}

/* The network knows angles from -pi to pi. */
static double turned(double angle) {
    return angle - 2 * PI * floor((angle + PI) / (2 * PI));
}

int main(int argc, char **argv) {
    dtrain_model *model;
    dtrain_workspace *workspace;
    dtrain_error error;
    if (argc != 2) {
        fprintf(stderr, "usage: pendulum_solver RUN\n");
        return 2;
    }
    if (dtrain_open(&model, argv[1], 0, &error) != DTRAIN_OK ||
        dtrain_workspace_create(&workspace, model, 1, 0, &error) != DTRAIN_OK) {
        fprintf(stderr, "pendulum_solver: %s\n", error.message);
        return 1;
    }
    if (dtrain_inputs(model) != INPUTS || dtrain_outputs(model) != OUTPUTS) {
        fprintf(stderr, "pendulum_solver: %s is not a model of the pendulum\n", argv[1]);
        return 1;
    }
    double x[INPUTS] = {[ANGLE] = 1.5, [LENGTH] = 10, [FRICTION] = 0.1}, y[OUTPUTS];
    double angle = x[ANGLE], velocity = x[VELOCITY], largest = 0, lost = 0, worst = 0;
    printf("    s  angle  equation   force/N    lost/J\n");
    for (int second = 1; second <= 60; second++) {
        x[PIVOT] = 1.5 * sin(0.4 * second);
        if (dtrain_predict_double(model, workspace, 1, x, y, &error) != DTRAIN_OK) {
            fprintf(stderr, "pendulum_solver: %s\n", error.message);
            return 1;
        }
        integrate(&angle, &velocity, x);
        x[ANGLE] = turned(y[ANGLE_AFTER]);
        x[VELOCITY] = y[VELOCITY_AFTER];
        largest = fmax(largest, y[LARGEST_FORCE]);
        lost += y[ENERGY_LOST];
        worst = fmax(worst, fabs(turned(x[ANGLE] - angle)));
        if (second % 10 == 0)
            printf("%5d %6.3f %9.3f %9.0f %9.0f\n", second, x[ANGLE], turned(angle), y[LARGEST_FORCE], lost);
    }
    printf("pendulum seconds=60 largest_force=%.0f energy_lost=%.0f largest_angle_error=%.4f\n", largest, lost, worst);
    dtrain_workspace_destroy(workspace);
    dtrain_close(model);
    return 0;
}
