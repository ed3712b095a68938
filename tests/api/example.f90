! A trained model in a Fortran program: opens it, asks it for one sample, and for the derivatives there.
!
!     gfortran $(pkg-config --variable=fortran_source dtrain) example.f90 $(pkg-config --libs dtrain) -o example
!     ./example runs/surrogate 0.1 0.2 0.3 …
!
! The numbers behind the run directory are the sample; those that are missing are 0.
program example
    use, intrinsic :: iso_c_binding, only: c_double
    use dtrain
    implicit none
    type(dtrain_model) :: model
    type(dtrain_error) :: error
    real(c_double), allocatable :: x(:), y(:), jacobian(:, :)
    character(4096) :: argument
    integer :: i, status

    call get_command_argument(1, argument)
    call model%open(argument, error)
    if (error%code /= dtrain_ok) then
        print "(a)", error%text()
        error stop 1
    end if

    allocate (x(model%inputs()), y(model%outputs()), jacobian(model%inputs(), model%outputs()))
    x = 0
    do i = 1, min(size(x), command_argument_count() - 1)
        call get_command_argument(i + 1, argument)
        read (argument, *, iostat=status) x(i)
        if (status /= 0) error stop "a number is expected"
    end do

    call model%predict(x, y) ! without `error` a failure ends the program
    do i = 1, size(y)
        print "(a,i0,a,g0.9)", "y(", i, ") = ", y(i)
    end do

    call model%jacobian(x, jacobian)
    do i = 1, size(x)
        print "(a,i0,a,g0.9)", "dy(1)/dx(", i, ") = ", jacobian(i, 1)
    end do

    call model%close()
end program
