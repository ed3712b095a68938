! The digest of a model's outputs, as `dtrain predict` computes it, from Fortran: digest RUN SAMPLES AT_ONCE [STREAMS], as
! digest.c has them, but that a call is of AT_ONCE samples. Integers wrap around (-fwrapv).
program digest
    use, intrinsic :: iso_c_binding
    use dtrain
    implicit none
    interface
        function hash_seeded(bytes, count, seed) bind(c, name="XXH3_64bits_withSeed") result(hash)
            import
            type(c_ptr), value :: bytes
            integer(c_size_t), value :: count
            integer(c_int64_t), value :: seed
            integer(c_int64_t) :: hash
        end function
        function hash_of(bytes, count) bind(c, name="XXH3_64bits") result(hash)
            import
            type(c_ptr), value :: bytes
            integer(c_size_t), value :: count
            integer(c_int64_t) :: hash
        end function
    end interface
    type(dtrain_model) :: model
    type(dtrain_workspace) :: workspace
    character(4096) :: run, file, word
    real(c_double), allocatable :: x(:, :)
    real(c_float), allocatable, target :: y(:, :)
    real(c_float), allocatable :: state(:, :)
    integer(c_int64_t), target :: words(2)
    integer :: at_once, across, samples, unit, bytes, window, at, last, i
    logical :: carries

    call get_command_argument(1, run)
    call get_command_argument(2, file)
    call get_command_argument(3, word)
    read (word, *) at_once
    call model%open(trim(run))
    open (newunit=unit, file=trim(file), access="stream", form="unformatted", status="old", action="read")
    inquire (unit=unit, size=bytes)
    samples = bytes / 8 / model%inputs()
    allocate (x(model%inputs(), samples), y(model%outputs(), samples))
    read (unit) x
    close (unit)
    across = samples
    carries = command_argument_count() > 3
    if (carries) then
        call get_command_argument(4, word)
        read (word, *) across
    end if
    allocate (state(model%states(), across))
    state = 0
    call workspace%create(model, at_once)
    do window = 0, samples / across - 1
        do at = 1, across, at_once
            last = min(across, at + at_once - 1)
            call predict(window * across, at, last)
        end do
    end do
    words = [int(samples, c_int64_t), 0_c_int64_t]
    do i = 1, samples
        words(2) = words(2) + hash_seeded(c_loc(y(1, i)), int(4 * size(y, 1), c_size_t), int(i - 1, c_int64_t))
    end do
    print "(z16.16)", hash_of(c_loc(words), 16_c_size_t)
    call workspace%destroy()
    call model%close()

contains

    !> Samples [at, last] of the window that begins after sample `before`.
    subroutine predict(before, at, last)
        integer, intent(in) :: before, at, last
        real(c_double), allocatable :: answers(:, :)
        allocate (answers(size(y, 1), last - at + 1))
        if (carries) then
            call model%predict(x(:, before + at:before + last), answers, workspace=workspace, state=state(:, at:last))
        else
            call model%predict(x(:, before + at:before + last), answers, workspace=workspace)
        end if
        y(:, before + at:before + last) = real(answers, c_float)
    end subroutine
end program
