! Calls of every rank and type give the same bits: test_fortran VALUES PICTURES SERIES NAMED, run directories of models.py.
program test_fortran
    use, intrinsic :: iso_c_binding, only: c_float, c_double
    use dtrain
    implicit none
    logical :: failed = .false.
    character(4096) :: path(4)
    integer :: i
    do i = 1, 4
        call get_command_argument(i, path(i))
    end do
    call test_values(trim(path(1)))
    call test_pictures(trim(path(2)))
    call test_series(trim(path(3)))
    call test_named(trim(path(4)))
    call test_errors()
    if (failed) error stop 1

contains

    subroutine expect(condition, what)
        logical, intent(in) :: condition
        character(*), intent(in) :: what
        if (condition) return
        print "(2a)", "FAIL  ", what
        failed = .true.
    end subroutine

    subroutine test_values(where)
        character(*), intent(in) :: where
        type(dtrain_model) :: model
        type(dtrain_workspace) :: workspace
        integer, parameter :: n = 16, m = 8, rows = 5
        real(c_double), allocatable :: mean(:), deviation(:)
        real(c_double) :: x(n, rows), y(m, rows), again(m, rows), turned(rows, m), one(m), wide(2 * n, rows), &
            dy(m, rows), dx(n, rows), jacobian(n, m)
        real(c_float) :: x4(n, rows), y4(m, rows), one4(m)
        integer :: i, r
        call model%open(where)
        call expect(model%inputs() == n .and. model%outputs() == m, "sizes")
        call expect(model%output_kind() == dtrain_values, "kind")
        call expect(index(model%checkpoint(), where) == 1, "checkpoint")
        call model%input_scaling(mean, deviation)
        do r = 1, rows
            do i = 1, n
                x4(i, r) = real(mean(i) + deviation(i) * (modulo(7 * i + 5 * r, 19) - 9) / 9, c_float)
            end do
        end do
        x = real(x4, c_double)
        call workspace%create(model, rows, gradients=.true.)
        call model%predict(x, y, workspace=workspace)
        call model%predict(transpose(x), turned, samples_first=.true.)
        call expect(all(turned == transpose(y)), "samples first")
        call model%predict(x4, y4, workspace=workspace)
        call expect(all(y4 == real(y, c_float)), "single precision")
        call model%predict(x(:, 3), one)
        call expect(all(one == y(:, 3)), "one sample")
        call model%predict(x4(:, 2), one4)
        call expect(all(one4 == real(y(:, 2), c_float)), "one sample in single precision")
        wide(1::2, :) = x
        wide(2::2, :) = 0
        call model%predict(wide(1::2, :), again)
        call expect(all(again == y), "every second number")
        dy = 0
        dy(2, :) = 1
        call model%vjp(x, dy, dx, workspace=workspace)
        call model%jacobian(x(:, 4), jacobian, workspace=workspace)
        call expect(any(jacobian /= 0) .and. maxval(abs(jacobian(:, 2) - dx(:, 4)) * deviation) &
            < 1e-5 * maxval(abs(jacobian(:, 2)) * deviation), "derivatives")
        wide(:n, :) = 1e9_c_double
        call expect(model%outside_range(wide(:n, :)) == n * rows, "outside the range of training")
        call workspace%destroy()
        call model%close()
        call model%close()
    end subroutine

    subroutine test_pictures(where)
        character(*), intent(in) :: where
        type(dtrain_model) :: model
        real(c_float) :: x(8, 8, 4), y(3, 4), flat(64, 4), again(3, 4)
        real(c_float) :: x4(1, 8, 8, 4)
        integer :: i
        call model%open(where)
        call expect(model%classes() == 3 .and. model%class_label(3) == 3 .and. model%class_name(1) == "", "classes")
        flat = reshape([(real(modulo(13 * i, 256), c_float), i=1, size(flat))], shape(flat))
        x = reshape(flat, shape(x))
        x4 = reshape(flat, shape(x4))
        call model%predict(x, y)
        call expect(all(abs(sum(y, 1) - 1) < 1e-5), "probabilities")
        call model%predict(flat, again)
        call expect(all(again == y), "rank 2 and 3")
        call model%predict(x4, again)
        call expect(all(again == y), "rank 4")
        call model%close()
    end subroutine

    subroutine test_series(where)
        character(*), intent(in) :: where
        type(dtrain_model) :: model
        real(c_float) :: x(4, 6, 2), first(1, 2), second(1, 2)
        real(c_float), allocatable :: state(:, :)
        call model%open(where)
        allocate (state(model%states(), 2))
        call random_number(x)
        state = 0
        call model%predict(x, first, state=state)
        call expect(any(state /= 0), "a state is left")
        call model%predict(x, second, state=state)
        call expect(all(first /= second), "a state is read")
        block
            real(c_double) :: flat(24, 2), dy(1, 2), dx(24, 2), plain(24, 2)
            real(c_float), allocatable :: before(:, :), zero(:, :)
            flat = reshape(real(x, c_double), shape(flat))
            dy = 1
            allocate (before, zero, mold=state)
            zero = 0
            call model%vjp_state(flat, dy, dx, state, zero, before)
            call expect(any(before /= 0), "a state has a derivative")
            call model%vjp(flat, dy, plain)
            call expect(any(dx /= plain), "derivatives are from the state")
            call model%vjp_state(flat, dy, dx, zero, zero, before)
            call expect(all(dx == plain), "or from none")
        end block
        call model%close()
    end subroutine

    subroutine test_named(where)
        character(*), intent(in) :: where
        type(dtrain_model) :: model
        type(dtrain_rows) :: rows, dx
        type(dtrain_error) :: error
        type(dtrain_outside), allocatable :: outside(:)
        integer, parameter :: n = 52, m = 3, samples = 4
        real(c_float) :: image(8, 6, samples), y4(m, samples), strange(8, 6, 1)
        real(c_double) :: meta(samples, 4), whole(n, samples), y(m, samples), by(m, samples), dy(m, samples), &
            dwhole(n, samples), dimage(8, 6, samples), dmeta(4, samples)
        real(c_double), allocatable :: mean(:), deviation(:)
        integer :: i
        call model%open(where)
        call expect(model%parts() == 2 .and. model%part_name(1) == "image" .and. model%part_name(2) == "meta", "names")
        call expect(all(model%part_shape(1) == [8, 6]) .and. all(model%part_shape(2) == [4]), "shapes")
        call expect(model%part_first(2) == 49, "where a part begins")
        call model%input_scaling(mean, deviation)
        image = reshape([(real(modulo(13 * i, 256), c_float), i=1, size(image))], shape(image))
        do i = 1, samples
            meta(i, :) = mean(49:52) + deviation(49:52) * (i - 2) / 2
        end do
        whole(:48, :) = reshape(real(image, c_double), [48, samples])
        whole(49:, :) = transpose(meta)
        call model%predict(whole, y)
        call rows%create(model, samples)
        call rows%put("image", image)
        call rows%put("meta", transpose(meta))
        call model%predict(rows, by)
        call expect(all(by == y), "rows by name")
        call model%predict(rows, y4)
        call expect(all(y4 == real(y, c_float)), "rows by name in single precision")
        dy = 0
        dy(2, :) = 1
        call model%vjp(whole, dy, dwhole)
        call model%vjp(rows, dy, dx)
        call dx%get("image", dimage)
        call dx%get("meta", dmeta)
        call expect(any(dwhole /= 0) .and. all(reshape(dimage, [48, samples]) == dwhole(:48, :)) &
            .and. all(dmeta == dwhole(49:, :)), "derivatives by name")
        call model%outside_list(rows, outside)
        i = size(outside)
        meta(3, 2) = 1e30_c_double
        call rows%put("meta", transpose(meta))
        call model%outside_list(rows, outside)
        call expect(size(outside) >= 1 .and. size(outside) <= i + 1 .and. model%outside_range(rows) == size(outside), "outside")
        call expect(any(outside%row == 3 .and. outside%part == 2 .and. outside%number == 2 &
            .and. outside%value == 1e30_c_double), "which number is outside")
        call rows%put("colour", image, error)
        call expect(error%code == dtrain_err_argument .and. index(error%text(), "colour") > 0, "a name that is none")
        strange = 0
        call rows%put("image", strange, error)
        call expect(error%code == dtrain_err_argument .and. index(error%text(), "4 samples of 48") > 0, "too few samples")
        call model%close()
    end subroutine

    subroutine test_errors()
        type(dtrain_model) :: model
        type(dtrain_error) :: error
        call model%open("/nowhere/at/all", error)
        call expect(error%code == dtrain_err_input .and. index(error%text(), "/nowhere/at/all") > 0, "a missing file")
        call model%open(trim(path(1)), error)
        call expect(error%code == dtrain_ok .and. error%text() == "", "no error")
        block
            real(c_double) :: x(3), y(8)
            x = 0
            call model%predict(x, y, error)
            call expect(error%code == dtrain_err_argument .and. index(error%text(), "16 inputs") > 0, "a wrong size")
        end block
        call model%close()
    end subroutine
end program
