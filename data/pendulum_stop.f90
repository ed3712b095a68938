! Newton's method on a trained network: how is the pivot of a pendulum to be moved in the next second, so that the load
! hangs still at its end, or is as slow as it can be? The network says what the pendulum does (see pendulum.c), and with
! its derivatives which acceleration leads to velocity 0.
!
!     gfortran $(pkg-config --variable=fortran_source dtrain) data/pendulum_stop.f90 -o pendulum_stop $(pkg-config --libs dtrain)
!     ./pendulum_stop runs/pendulum
program pendulum_stop
    use, intrinsic :: iso_fortran_env, only: real64
    use dtrain
    implicit none
    integer, parameter :: pivot = 4, velocity_after = 2, largest_force = 3
    type(dtrain_model) :: model
    type(dtrain_workspace) :: workspace
    real(real64) :: x(5), y(4), slopes(5, 4), start(3), step
    character(len=4096) :: run
    integer :: i, iteration

    if (command_argument_count() /= 1) error stop "usage: pendulum_stop RUN"
    call get_command_argument(1, run)
    call model%open(trim(run))
    if (model%inputs() /= 5 .or. model%outputs() /= 4) error stop "this is no model of the pendulum"
    call workspace%create(model, 4, gradients=.true.)
    start = [0.06_real64, 0.12_real64, 0.18_real64]
    do i = 1, size(start)
        x = [start(i), -start(i), 10.0_real64, 0.0_real64, 0.1_real64] ! angle, velocity, length, acceleration, friction
        do iteration = 1, 20
            call model%predict(x, y, workspace=workspace)
            call model%jacobian(x, slopes, workspace=workspace)
            step = y(velocity_after)/slopes(pivot, velocity_after)
            x(pivot) = x(pivot) - step
            if (abs(step) < 1e-5_real64) exit
        end do
        call model%predict(x, y, workspace=workspace)
        print '(a, f5.2, a, f8.4, a, es9.1, a, f8.0, a, i0)', "angle ", x(1), " rad: acceleration ", x(pivot), &
            " m/s2 leaves ", y(velocity_after), " rad/s, force ", y(largest_force), " N, iterations ", iteration
    end do
    call workspace%destroy()
    call model%close()
end program
