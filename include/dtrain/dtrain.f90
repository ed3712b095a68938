! libdtrain from Fortran 2008: a module over dtrain.h, which says what each call does, fails with, and promises to threads.
!
!     use dtrain
!     type(dtrain_model) :: model
!     type(dtrain_error) :: error
!     call model%open("runs/surrogate", error)
!     if (error%code /= dtrain_ok) stop error%text()
!     call model%predict(x, y, error)
!     call model%close()
!
! Arrays are contiguous or not, single or double, of rank 1 to 4. Of rank 1, a call is of one sample. Otherwise the last
! dimension counts the samples, and those before are the sample's own, in the reverse of dtrain_input_shape's order: what
! C calls x[rows, height, width, channels] is x(channels, width, height, rows). With samples_first = .true., for rank 2, it
! is x(rows, inputs) and y(rows, outputs). An argument `error` may be left out; a failure then stops the program.
!
! A model whose inputs have names, as in {image: /a, meta: [/b, /c]}, takes rows: what is put there by name is copied, so
! any array of any layout will do, single or double.
!
!     type(dtrain_rows) :: rows
!     call rows%create(model, samples)
!     call rows%put("image", image, error)    ! image(width, height, samples)
!     call rows%put("meta", meta, error)      ! meta(numbers, samples)
!     call model%predict(rows, y, error)
module dtrain
    use, intrinsic :: iso_c_binding
    use, intrinsic :: iso_fortran_env, only: error_unit
    implicit none
    private

    integer(c_int), parameter, public :: dtrain_ok = 0, dtrain_err_argument = 1, dtrain_err_input = 2, dtrain_err_io = 3, &
        dtrain_err_corrupt = 4, dtrain_err_memory = 5, dtrain_err_unknown = 6
    integer(c_int), parameter, public :: dtrain_open_guarded = 1
    integer(c_int), parameter, public :: dtrain_values = 0, dtrain_probabilities = 1, dtrain_likelihoods = 2
    integer(c_int), parameter :: is_float = 0, is_double = 1

    type, bind(c), public :: dtrain_error_c
        integer(c_int32_t) :: code = 0
        character(kind=c_char) :: message(508) = c_null_char
    end type

    !> What went wrong in a call: `code` is dtrain_ok after a success.
    type, public :: dtrain_error
        integer(c_int) :: code = dtrain_ok
        type(dtrain_error_c), private :: of_c
    contains
        procedure :: text => error_text
    end type

    type, bind(c) :: c_array
        type(c_ptr) :: data
        integer(c_int32_t) :: type
        integer(c_int64_t) :: row_stride, stride
    end type

    !> A trained model. Any number of threads may use one at the same time.
    type, public :: dtrain_model
        private
        type(c_ptr) :: handle = c_null_ptr
    contains
        procedure :: open => model_open
        procedure :: close => model_close
        procedure :: inputs => model_inputs
        procedure :: outputs => model_outputs
        procedure :: states => model_states
        procedure :: step => model_step
        procedure :: classes => model_classes
        procedure :: class_name => model_class_name
        procedure :: class_label => model_class_label
        procedure :: output_kind => model_output_kind
        procedure :: input_scaling => model_input_scaling
        procedure :: parts => model_parts
        procedure :: part_name => model_part_name
        procedure :: part_shape => model_part_shape
        procedure :: part_first => model_part_first
        procedure :: checkpoint => model_checkpoint
        procedure :: warnings => model_warnings
        procedure, private :: predict_s1, predict_s2, predict_s3, predict_s33, predict_s4, predict_s44, predict_d1, predict_d2, &
            predict_d3, predict_d33, predict_d4, predict_d44, predict_rs, predict_rd
        !> y from x; `workspace` makes a call faster, `state` is read and replaced: [states, samples], zero at a beginning.
        generic :: predict => predict_s1, predict_s2, predict_s3, predict_s33, predict_s4, predict_s44, predict_d1, predict_d2, &
            predict_d3, predict_d33, predict_d4, predict_d44, predict_rs, predict_rd
        procedure, private :: vjp_s1, vjp_s2, vjp_d1, vjp_d2, vjp_r
        !> dx = the sum over outputs of dy * d y / d x.
        generic :: vjp => vjp_s1, vjp_s2, vjp_d1, vjp_d2, vjp_r
        !> The same from a state, [states, samples], and through it: gradients by what was carried, from those of what is.
        procedure :: vjp_state => model_vjp_state
        procedure, private :: jacobian_s, jacobian_d
        !> jacobian(i, o) = d y(o) / d x(i) of one sample.
        generic :: jacobian => jacobian_s, jacobian_d
        procedure, private :: outside_s, outside_d, outside_r
        !> How many numbers of x, [inputs, samples], leave the range that training saw; -1 where nothing is known of it.
        generic :: outside_range => outside_s, outside_d, outside_r
        !> Which of them do, of rows: an allocatable list of dtrain_outside.
        procedure :: outside_list => model_outside_list
    end type

    !> A number that training has not seen the like of: `part` counts inputs, `number` those of the part, from 1.
    type, bind(c), public :: dtrain_outside
        integer(c_int64_t) :: row, part, number
        real(c_double) :: value, least, most
    end type

    !> Samples of a model whose inputs have names, or derivatives by them. `numbers` has whole rows: [inputs, samples].
    type, public :: dtrain_rows
        real(c_double), allocatable :: numbers(:, :)
        type(c_ptr), private :: model = c_null_ptr
    contains
        procedure :: create => rows_create
        procedure, private :: put_s1, put_s2, put_s3, put_s4, put_d1, put_d2, put_d3, put_d4
        !> The samples' numbers of the input that has a name.
        generic :: put => put_s1, put_s2, put_s3, put_s4, put_d1, put_d2, put_d3, put_d4
        procedure, private :: get_s1, get_s2, get_s3, get_s4, get_d1, get_d2, get_d3, get_d4
        generic :: get => get_s1, get_s2, get_s3, get_s4, get_d1, get_d2, get_d3, get_d4
    end type

    !> Memory for the calls of one thread at a time.
    type, public :: dtrain_workspace
        private
        type(c_ptr) :: handle = c_null_ptr
    contains
        procedure :: create => workspace_create
        procedure :: destroy => workspace_destroy
    end type

    interface
        function c_open(model, path, flags, error) bind(c, name="dtrain_open") result(code)
            import
            type(c_ptr), intent(out) :: model
            character(kind=c_char), intent(in) :: path(*)
            integer(c_int), value :: flags
            type(dtrain_error_c), intent(inout) :: error
            integer(c_int) :: code
        end function
        subroutine c_close(model) bind(c, name="dtrain_close")
            import
            type(c_ptr), value :: model
        end subroutine
        pure function c_inputs(model) bind(c, name="dtrain_inputs") result(n)
            import
            type(c_ptr), value :: model
            integer(c_int64_t) :: n
        end function
        pure function c_outputs(model) bind(c, name="dtrain_outputs") result(n)
            import
            type(c_ptr), value :: model
            integer(c_int64_t) :: n
        end function
        pure function c_states(model) bind(c, name="dtrain_states") result(n)
            import
            type(c_ptr), value :: model
            integer(c_int64_t) :: n
        end function
        pure function c_step(model) bind(c, name="dtrain_step") result(n)
            import
            type(c_ptr), value :: model
            integer(c_int64_t) :: n
        end function
        pure function c_classes(model) bind(c, name="dtrain_classes") result(n)
            import
            type(c_ptr), value :: model
            integer(c_int64_t) :: n
        end function
        function c_class_name(model, i) bind(c, name="dtrain_class_name") result(name)
            import
            type(c_ptr), value :: model
            integer(c_int64_t), value :: i
            type(c_ptr) :: name
        end function
        function c_class_label(model, i) bind(c, name="dtrain_class_label") result(label)
            import
            type(c_ptr), value :: model
            integer(c_int64_t), value :: i
            integer(c_int64_t) :: label
        end function
        function c_output_kind(model) bind(c, name="dtrain_output_kind_of") result(kind_of)
            import
            type(c_ptr), value :: model
            integer(c_int) :: kind_of
        end function
        pure function c_parts(model) bind(c, name="dtrain_parts") result(n)
            import
            type(c_ptr), value :: model
            integer(c_int64_t) :: n
        end function
        function c_part_name(model, part) bind(c, name="dtrain_part_name") result(name)
            import
            type(c_ptr), value :: model
            integer(c_int64_t), value :: part
            type(c_ptr) :: name
        end function
        function c_part_named(model, name) bind(c, name="dtrain_part_named") result(part)
            import
            type(c_ptr), value :: model
            character(kind=c_char), intent(in) :: name(*)
            integer(c_int64_t) :: part
        end function
        pure function c_part_first(model, part) bind(c, name="dtrain_part_first") result(n)
            import
            type(c_ptr), value :: model
            integer(c_int64_t), value :: part
            integer(c_int64_t) :: n
        end function
        pure function c_part_numbers(model, part) bind(c, name="dtrain_part_numbers") result(n)
            import
            type(c_ptr), value :: model
            integer(c_int64_t), value :: part
            integer(c_int64_t) :: n
        end function
        function c_part_shape(model, part, shape_of) bind(c, name="dtrain_part_shape") result(rank_of)
            import
            type(c_ptr), value :: model
            integer(c_int64_t), value :: part
            integer(c_int64_t), intent(out) :: shape_of(*)
            integer(c_int) :: rank_of
        end function
        function c_outside_list(model, rows, x, list, room, count, error) bind(c, name="dtrain_outside_list") result(code)
            import
            type(c_ptr), value :: model
            integer(c_int64_t), value :: rows, room
            type(c_array), intent(in) :: x(*)
            type(dtrain_outside), intent(inout) :: list(*)
            integer(c_int64_t), intent(out) :: count
            type(dtrain_error_c), intent(inout) :: error
            integer(c_int) :: code
        end function
        function c_checkpoint(model) bind(c, name="dtrain_checkpoint") result(text)
            import
            type(c_ptr), value :: model
            type(c_ptr) :: text
        end function
        function c_warnings(model) bind(c, name="dtrain_warnings") result(text)
            import
            type(c_ptr), value :: model
            type(c_ptr) :: text
        end function
        subroutine c_input_scaling(model, mean, deviation) bind(c, name="dtrain_input_scaling")
            import
            type(c_ptr), value :: model
            real(c_double), intent(out) :: mean(*), deviation(*)
        end subroutine
        function c_workspace_create(workspace, model, rows, flags, error) bind(c, name="dtrain_workspace_create") result(code)
            import
            type(c_ptr), intent(out) :: workspace
            type(c_ptr), value :: model
            integer(c_int64_t), value :: rows
            integer(c_int), value :: flags
            type(dtrain_error_c), intent(inout) :: error
            integer(c_int) :: code
        end function
        subroutine c_workspace_destroy(workspace) bind(c, name="dtrain_workspace_destroy")
            import
            type(c_ptr), value :: workspace
        end subroutine
        function c_predict(model, workspace, rows, x, y, state_in, state_out, error) bind(c, name="dtrain_predict_arrays") &
            result(code)
            import
            type(c_ptr), value :: model, workspace
            integer(c_int64_t), value :: rows
            type(c_array), intent(in) :: x, y
            type(c_ptr), value :: state_in, state_out
            type(dtrain_error_c), intent(inout) :: error
            integer(c_int) :: code
        end function
        function c_vjp(model, workspace, rows, x, dy, dx, y, error) bind(c, name="dtrain_vjp") result(code)
            import
            type(c_ptr), value :: model, workspace
            integer(c_int64_t), value :: rows
            type(c_array), intent(in) :: x, dy, dx
            type(c_ptr), value :: y
            type(dtrain_error_c), intent(inout) :: error
            integer(c_int) :: code
        end function
        function c_vjp_state(model, workspace, rows, x, dy, dx, y, state_in, dstate_out, dstate_in, error) &
            bind(c, name="dtrain_vjp_state") result(code)
            import
            type(c_ptr), value :: model, workspace
            integer(c_int64_t), value :: rows
            type(c_array), intent(in) :: x, dy, dx
            type(c_ptr), value :: y, state_in, dstate_out, dstate_in
            type(dtrain_error_c), intent(inout) :: error
            integer(c_int) :: code
        end function
        function c_jacobian(model, workspace, rows, x, jacobian, error) bind(c, name="dtrain_jacobian") result(code)
            import
            type(c_ptr), value :: model, workspace
            integer(c_int64_t), value :: rows
            type(c_array), intent(in) :: x
            type(c_ptr), value :: jacobian
            type(dtrain_error_c), intent(inout) :: error
            integer(c_int) :: code
        end function
        function c_outside(model, rows, x, outside, count, error) bind(c, name="dtrain_outside_range") result(code)
            import
            type(c_ptr), value :: model
            integer(c_int64_t), value :: rows
            type(c_array), intent(in) :: x
            type(c_ptr), value :: outside
            integer(c_int64_t), intent(out) :: count
            type(dtrain_error_c), intent(inout) :: error
            integer(c_int) :: code
        end function
        pure function c_length(text) bind(c, name="strlen") result(n)
            import
            type(c_ptr), value :: text
            integer(c_size_t) :: n
        end function
    end interface

contains

    ! ---- errors ----

    function error_text(self) result(text)
        class(dtrain_error), intent(in) :: self
        character(:), allocatable :: text
        integer :: i
        text = ""
        if (self%code == dtrain_ok) return
        do i = 1, size(self%of_c%message)
            if (self%of_c%message(i) == c_null_char) exit
            text = text // self%of_c%message(i)
        end do
    end function

    !> Hands an error over to the caller, or ends the program with its text.
    subroutine settle(code, found, error)
        integer(c_int), intent(in) :: code
        type(dtrain_error), intent(inout) :: found
        type(dtrain_error), intent(out), optional :: error
        found%code = code
        if (present(error)) then
            error = found
        else if (code /= dtrain_ok) then
            write (error_unit, "(a)") found%text()
            error stop 1
        end if
    end subroutine

    !> The same for what this module itself finds wrong.
    subroutine refuse(text, error)
        character(*), intent(in) :: text
        type(dtrain_error), intent(out), optional :: error
        type(dtrain_error) :: found
        integer :: i
        do i = 1, min(len(text), size(found%of_c%message) - 1)
            found%of_c%message(i) = text(i:i)
        end do
        call settle(dtrain_err_argument, found, error)
    end subroutine

    function text_of(pointer) result(text)
        type(c_ptr), intent(in) :: pointer
        character(:), allocatable :: text
        character(kind=c_char), pointer :: bytes(:)
        integer :: i
        text = ""
        if (.not. c_associated(pointer)) return
        call c_f_pointer(pointer, bytes, [c_length(pointer)])
        text = repeat(" ", size(bytes))
        do i = 1, size(bytes)
            text(i:i) = bytes(i)
        end do
    end function

    ! ---- models ----

    subroutine model_open(self, path, error, flags)
        class(dtrain_model), intent(inout) :: self
        character(*), intent(in) :: path
        type(dtrain_error), intent(out), optional :: error
        integer(c_int), intent(in), optional :: flags
        type(dtrain_error) :: found
        integer(c_int) :: wanted, code
        call self%close()
        wanted = 0
        if (present(flags)) wanted = flags
        code = c_open(self%handle, trim(path) // c_null_char, wanted, found%of_c)
        call settle(code, found, error)
    end subroutine

    subroutine model_close(self)
        class(dtrain_model), intent(inout) :: self
        call c_close(self%handle)
        self%handle = c_null_ptr
    end subroutine

    pure function model_inputs(self) result(n)
        class(dtrain_model), intent(in) :: self
        integer :: n
        n = int(c_inputs(self%handle))
    end function

    pure function model_outputs(self) result(n)
        class(dtrain_model), intent(in) :: self
        integer :: n
        n = int(c_outputs(self%handle))
    end function

    pure function model_states(self) result(n)
        class(dtrain_model), intent(in) :: self
        integer :: n
        n = int(c_states(self%handle))
    end function

    pure function model_step(self) result(n)
        class(dtrain_model), intent(in) :: self
        integer(c_int64_t) :: n
        n = c_step(self%handle)
    end function

    pure function model_classes(self) result(n)
        class(dtrain_model), intent(in) :: self
        integer :: n
        n = int(c_classes(self%handle))
    end function

    !> Of class i, counted from 1; "" where the data had no names.
    function model_class_name(self, i) result(name)
        class(dtrain_model), intent(in) :: self
        integer, intent(in) :: i
        character(:), allocatable :: name
        name = text_of(c_class_name(self%handle, int(i - 1, c_int64_t)))
    end function

    !> The number that the training data had for class i, counted from 1.
    function model_class_label(self, i) result(label)
        class(dtrain_model), intent(in) :: self
        integer, intent(in) :: i
        integer(c_int64_t) :: label
        label = c_class_label(self%handle, int(i - 1, c_int64_t))
    end function

    function model_output_kind(self) result(kind_of)
        class(dtrain_model), intent(in) :: self
        integer(c_int) :: kind_of
        kind_of = c_output_kind(self%handle)
    end function

    subroutine model_input_scaling(self, mean, deviation)
        class(dtrain_model), intent(in) :: self
        real(c_double), allocatable, intent(out) :: mean(:), deviation(:)
        allocate (mean(self%inputs()), deviation(self%inputs()))
        call c_input_scaling(self%handle, mean, deviation)
    end subroutine

    function model_checkpoint(self) result(path)
        class(dtrain_model), intent(in) :: self
        character(:), allocatable :: path
        path = text_of(c_checkpoint(self%handle))
    end function

    function model_warnings(self) result(text)
        class(dtrain_model), intent(in) :: self
        character(:), allocatable :: text
        text = text_of(c_warnings(self%handle))
    end function

    ! ---- inputs that have names ----

    !> How many inputs a model has: one, called "input", where they have no names.
    pure function model_parts(self) result(n)
        class(dtrain_model), intent(in) :: self
        integer :: n
        n = int(c_parts(self%handle))
    end function

    !> Of input i, counted from 1.
    function model_part_name(self, i) result(name)
        class(dtrain_model), intent(in) :: self
        integer, intent(in) :: i
        character(:), allocatable :: name
        name = text_of(c_part_name(self%handle, int(i - 1, c_int64_t)))
    end function

    !> Its shape in Fortran's order: the dimension that varies fastest comes first.
    function model_part_shape(self, i) result(dimensions)
        class(dtrain_model), intent(in) :: self
        integer, intent(in) :: i
        integer, allocatable :: dimensions(:)
        integer(c_int64_t) :: found(6)
        integer(c_int) :: n
        n = max(0_c_int, c_part_shape(self%handle, int(i - 1, c_int64_t), found))
        dimensions = int(found(n:1:-1))
    end function

    !> Where its numbers begin in a row, counted from 1.
    pure function model_part_first(self, i) result(first_of)
        class(dtrain_model), intent(in) :: self
        integer, intent(in) :: i
        integer :: first_of
        first_of = int(c_part_first(self%handle, int(i - 1, c_int64_t))) + 1
    end function

    subroutine rows_create(self, model, samples)
        class(dtrain_rows), intent(inout) :: self
        type(dtrain_model), intent(in) :: model
        integer, intent(in) :: samples
        if (allocated(self%numbers)) deallocate (self%numbers)
        allocate (self%numbers(model%inputs(), samples))
        self%numbers = 0
        self%model = model%handle
    end subroutine

    !> Whether an array can be the input that has a name; which, from 0.
    function accepts(rows, name, samples, numbers, part, error) result(good)
        class(dtrain_rows), intent(in) :: rows
        character(*), intent(in) :: name
        integer, intent(in) :: samples, numbers
        integer, intent(out) :: part
        type(dtrain_error), intent(out), optional :: error
        logical :: good
        type(dtrain_error) :: none
        character(200) :: text
        part = -1
        if (allocated(rows%numbers)) part = int(c_part_named(rows%model, trim(name) // c_null_char))
        good = part >= 0
        if (.not. good) then
            call refuse("the model has no input " // trim(name) // ", or rows have not been created", error)
            return
        end if
        good = samples == size(rows%numbers, 2) .and. numbers == samples * int(c_part_numbers(rows%model, int(part, c_int64_t)))
        if (good) then
            call settle(dtrain_ok, none, error)
            return
        end if
        write (text, "(3a,i0,a,i0,a,i0,a,i0)") "input ", trim(name), " has ", numbers, " numbers, ", samples, &
            " samples; it must have ", size(rows%numbers, 2), " samples of ", c_part_numbers(rows%model, int(part, c_int64_t))
        call refuse(trim(text), error)
    end function

    pure function first(rows, part) result(at)
        class(dtrain_rows), intent(in) :: rows
        integer, intent(in) :: part
        integer :: at
        at = int(c_part_first(rows%model, int(part, c_int64_t))) + 1
    end function

    pure function last(rows, part) result(at)
        class(dtrain_rows), intent(in) :: rows
        integer, intent(in) :: part
        integer :: at
        at = int(c_part_first(rows%model, int(part, c_int64_t)) + c_part_numbers(rows%model, int(part, c_int64_t)))
    end function

    subroutine put_s1(self, name, x, error)
        class(dtrain_rows), intent(inout) :: self
        character(*), intent(in) :: name
        real(c_float), intent(in) :: x(:)
        type(dtrain_error), intent(out), optional :: error
        integer :: part
        if (accepts(self, name, 1, size(x), part, error)) self%numbers(first(self, part):last(self, part), :) = &
            reshape(real(x, c_double), [last(self, part) - first(self, part) + 1, 1])
    end subroutine

    subroutine put_s2(self, name, x, error)
        class(dtrain_rows), intent(inout) :: self
        character(*), intent(in) :: name
        real(c_float), intent(in) :: x(:, :)
        type(dtrain_error), intent(out), optional :: error
        integer :: part
        if (accepts(self, name, size(x, 2), size(x), part, error)) self%numbers(first(self, part):last(self, part), :) = &
            reshape(real(x, c_double), [last(self, part) - first(self, part) + 1, size(x, 2)])
    end subroutine

    subroutine put_s3(self, name, x, error)
        class(dtrain_rows), intent(inout) :: self
        character(*), intent(in) :: name
        real(c_float), intent(in) :: x(:, :, :)
        type(dtrain_error), intent(out), optional :: error
        integer :: part
        if (accepts(self, name, size(x, 3), size(x), part, error)) self%numbers(first(self, part):last(self, part), :) = &
            reshape(real(x, c_double), [last(self, part) - first(self, part) + 1, size(x, 3)])
    end subroutine

    subroutine put_s4(self, name, x, error)
        class(dtrain_rows), intent(inout) :: self
        character(*), intent(in) :: name
        real(c_float), intent(in) :: x(:, :, :, :)
        type(dtrain_error), intent(out), optional :: error
        integer :: part
        if (accepts(self, name, size(x, 4), size(x), part, error)) self%numbers(first(self, part):last(self, part), :) = &
            reshape(real(x, c_double), [last(self, part) - first(self, part) + 1, size(x, 4)])
    end subroutine

    subroutine put_d1(self, name, x, error)
        class(dtrain_rows), intent(inout) :: self
        character(*), intent(in) :: name
        real(c_double), intent(in) :: x(:)
        type(dtrain_error), intent(out), optional :: error
        integer :: part
        if (accepts(self, name, 1, size(x), part, error)) self%numbers(first(self, part):last(self, part), :) = &
            reshape(real(x, c_double), [last(self, part) - first(self, part) + 1, 1])
    end subroutine

    subroutine put_d2(self, name, x, error)
        class(dtrain_rows), intent(inout) :: self
        character(*), intent(in) :: name
        real(c_double), intent(in) :: x(:, :)
        type(dtrain_error), intent(out), optional :: error
        integer :: part
        if (accepts(self, name, size(x, 2), size(x), part, error)) self%numbers(first(self, part):last(self, part), :) = &
            reshape(real(x, c_double), [last(self, part) - first(self, part) + 1, size(x, 2)])
    end subroutine

    subroutine put_d3(self, name, x, error)
        class(dtrain_rows), intent(inout) :: self
        character(*), intent(in) :: name
        real(c_double), intent(in) :: x(:, :, :)
        type(dtrain_error), intent(out), optional :: error
        integer :: part
        if (accepts(self, name, size(x, 3), size(x), part, error)) self%numbers(first(self, part):last(self, part), :) = &
            reshape(real(x, c_double), [last(self, part) - first(self, part) + 1, size(x, 3)])
    end subroutine

    subroutine put_d4(self, name, x, error)
        class(dtrain_rows), intent(inout) :: self
        character(*), intent(in) :: name
        real(c_double), intent(in) :: x(:, :, :, :)
        type(dtrain_error), intent(out), optional :: error
        integer :: part
        if (accepts(self, name, size(x, 4), size(x), part, error)) self%numbers(first(self, part):last(self, part), :) = &
            reshape(real(x, c_double), [last(self, part) - first(self, part) + 1, size(x, 4)])
    end subroutine

    subroutine get_s1(self, name, x, error)
        class(dtrain_rows), intent(in) :: self
        character(*), intent(in) :: name
        real(c_float), intent(inout) :: x(:)
        type(dtrain_error), intent(out), optional :: error
        integer :: part
        if (accepts(self, name, 1, size(x), part, error)) &
            x = reshape(real(self%numbers(first(self, part):last(self, part), :), c_float), shape(x))
    end subroutine

    subroutine get_s2(self, name, x, error)
        class(dtrain_rows), intent(in) :: self
        character(*), intent(in) :: name
        real(c_float), intent(inout) :: x(:, :)
        type(dtrain_error), intent(out), optional :: error
        integer :: part
        if (accepts(self, name, size(x, 2), size(x), part, error)) &
            x = reshape(real(self%numbers(first(self, part):last(self, part), :), c_float), shape(x))
    end subroutine

    subroutine get_s3(self, name, x, error)
        class(dtrain_rows), intent(in) :: self
        character(*), intent(in) :: name
        real(c_float), intent(inout) :: x(:, :, :)
        type(dtrain_error), intent(out), optional :: error
        integer :: part
        if (accepts(self, name, size(x, 3), size(x), part, error)) &
            x = reshape(real(self%numbers(first(self, part):last(self, part), :), c_float), shape(x))
    end subroutine

    subroutine get_s4(self, name, x, error)
        class(dtrain_rows), intent(in) :: self
        character(*), intent(in) :: name
        real(c_float), intent(inout) :: x(:, :, :, :)
        type(dtrain_error), intent(out), optional :: error
        integer :: part
        if (accepts(self, name, size(x, 4), size(x), part, error)) &
            x = reshape(real(self%numbers(first(self, part):last(self, part), :), c_float), shape(x))
    end subroutine

    subroutine get_d1(self, name, x, error)
        class(dtrain_rows), intent(in) :: self
        character(*), intent(in) :: name
        real(c_double), intent(inout) :: x(:)
        type(dtrain_error), intent(out), optional :: error
        integer :: part
        if (accepts(self, name, 1, size(x), part, error)) &
            x = reshape(real(self%numbers(first(self, part):last(self, part), :), c_double), shape(x))
    end subroutine

    subroutine get_d2(self, name, x, error)
        class(dtrain_rows), intent(in) :: self
        character(*), intent(in) :: name
        real(c_double), intent(inout) :: x(:, :)
        type(dtrain_error), intent(out), optional :: error
        integer :: part
        if (accepts(self, name, size(x, 2), size(x), part, error)) &
            x = reshape(real(self%numbers(first(self, part):last(self, part), :), c_double), shape(x))
    end subroutine

    subroutine get_d3(self, name, x, error)
        class(dtrain_rows), intent(in) :: self
        character(*), intent(in) :: name
        real(c_double), intent(inout) :: x(:, :, :)
        type(dtrain_error), intent(out), optional :: error
        integer :: part
        if (accepts(self, name, size(x, 3), size(x), part, error)) &
            x = reshape(real(self%numbers(first(self, part):last(self, part), :), c_double), shape(x))
    end subroutine

    subroutine get_d4(self, name, x, error)
        class(dtrain_rows), intent(in) :: self
        character(*), intent(in) :: name
        real(c_double), intent(inout) :: x(:, :, :, :)
        type(dtrain_error), intent(out), optional :: error
        integer :: part
        if (accepts(self, name, size(x, 4), size(x), part, error)) &
            x = reshape(real(self%numbers(first(self, part):last(self, part), :), c_double), shape(x))
    end subroutine

    subroutine predict_rs(self, x, y, error, workspace, state)
        class(dtrain_model), intent(in) :: self
        type(dtrain_rows), intent(in) :: x
        real(c_float), intent(inout), contiguous, target :: y(:, :)
        type(dtrain_error), intent(out), optional :: error
        type(dtrain_workspace), intent(in), optional :: workspace
        real(c_float), intent(inout), optional, contiguous, target :: state(:, :)
        real(c_double) :: wide(size(y, 1), size(y, 2))
        type(dtrain_error) :: found
        wide = 0
        call predict_rd(self, x, wide, found, workspace, state)
        if (found%code == dtrain_ok) y = real(wide, c_float)
        call settle(found%code, found, error)
    end subroutine

    subroutine predict_rd(self, x, y, error, workspace, state)
        class(dtrain_model), intent(in) :: self
        type(dtrain_rows), intent(in) :: x
        real(c_double), intent(inout), contiguous, target :: y(:, :)
        type(dtrain_error), intent(out), optional :: error
        type(dtrain_workspace), intent(in), optional :: workspace
        real(c_float), intent(inout), optional, contiguous, target :: state(:, :)
        if (.not. allocated(x%numbers)) then
            call refuse("rows have not been created", error)
            return
        end if
        call predict_d2(self, x%numbers, y, error, workspace, state)
    end subroutine

    !> dx, created here, has what dx%get gives by name.
    subroutine model_vjp_state(self, x, dy, dx, state, dstate_out, dstate_in, error, workspace)
        class(dtrain_model), intent(in) :: self
        real(c_double), intent(in), contiguous, target :: x(:, :), dy(:, :)
        real(c_double), intent(inout), contiguous, target :: dx(:, :)
        real(c_float), intent(in), contiguous, target :: state(:, :), dstate_out(:, :)
        real(c_float), intent(inout), contiguous, target :: dstate_in(:, :)
        type(dtrain_error), intent(out), optional :: error
        type(dtrain_workspace), intent(in), optional :: workspace
        type(dtrain_error) :: found
        integer :: rows, inputs, outputs
        integer(c_int) :: code
        rows = size(x, 2)
        inputs = self%inputs()
        outputs = self%outputs()
        if (any([size(x), size(dy), size(dx), size(state), size(dstate_out), size(dstate_in)] /= &
            rows * [inputs, outputs, inputs, self%states(), self%states(), self%states()])) then
            call refuse("x, dy, dx and the states have not inputs, outputs, inputs and states for each sample", error)
            return
        end if
        code = c_vjp_state(self%handle, handle_of(workspace), int(rows, c_int64_t), &
            layout(c_loc(x), is_double, rows, inputs, .false.), layout(c_loc(dy), is_double, rows, outputs, .false.), &
            layout(c_loc(dx), is_double, rows, inputs, .false.), c_null_ptr, c_loc(state), c_loc(dstate_out), &
            c_loc(dstate_in), found%of_c)
        call settle(code, found, error)
    end subroutine

    subroutine vjp_r(self, x, dy, dx, error, workspace)
        class(dtrain_model), intent(in) :: self
        type(dtrain_rows), intent(in) :: x
        real(c_double), intent(in), contiguous, target :: dy(:, :)
        type(dtrain_rows), intent(inout) :: dx
        type(dtrain_error), intent(out), optional :: error
        type(dtrain_workspace), intent(in), optional :: workspace
        if (.not. allocated(x%numbers)) then
            call refuse("rows have not been created", error)
            return
        end if
        dx%model = x%model
        dx%numbers = 0 * x%numbers
        call vjp_d2(self, x%numbers, dy, dx%numbers, error, workspace)
    end subroutine

    function outside_r(self, x) result(count)
        class(dtrain_model), intent(in) :: self
        type(dtrain_rows), intent(in) :: x
        integer(c_int64_t) :: count
        count = -1
        if (allocated(x%numbers)) count = self%outside_range(x%numbers)
    end function

    subroutine model_outside_list(self, x, list, error)
        class(dtrain_model), intent(in) :: self
        type(dtrain_rows), intent(in), target :: x
        type(dtrain_outside), allocatable, intent(out) :: list(:)
        type(dtrain_error), intent(out), optional :: error
        type(dtrain_error) :: found
        type(c_array) :: parts(16)
        integer(c_int64_t) :: room, count
        integer(c_int) :: code
        integer :: i, samples
        if (.not. allocated(x%numbers)) then
            call refuse("rows have not been created", error)
            return
        end if
        samples = size(x%numbers, 2)
        if (samples > 0) then
            do i = 1, self%parts()
                parts(i) = c_array(c_loc(x%numbers(self%part_first(i), 1)), is_double, int(self%inputs(), c_int64_t), &
                    1_c_int64_t)
            end do
        end if
        room = max(0_c_int64_t, self%outside_range(x))
        allocate (list(room))
        code = c_outside_list(self%handle, int(samples, c_int64_t), parts, list, room, count, found%of_c)
        list%row = list%row + 1
        list%part = list%part + 1
        list%number = list%number + 1
        call settle(code, found, error)
    end subroutine

    ! ---- workspaces ----

    subroutine workspace_create(self, model, rows, gradients, error)
        class(dtrain_workspace), intent(inout) :: self
        type(dtrain_model), intent(in) :: model
        integer, intent(in) :: rows
        logical, intent(in), optional :: gradients
        type(dtrain_error), intent(out), optional :: error
        type(dtrain_error) :: found
        integer(c_int) :: flags, code
        call self%destroy()
        flags = 0
        if (present(gradients)) flags = merge(1_c_int, 0_c_int, gradients)
        code = c_workspace_create(self%handle, model%handle, int(rows, c_int64_t), flags, found%of_c)
        call settle(code, found, error)
    end subroutine

    subroutine workspace_destroy(self)
        class(dtrain_workspace), intent(inout) :: self
        call c_workspace_destroy(self%handle)
        self%handle = c_null_ptr
    end subroutine

    pure function handle_of(workspace) result(handle)
        type(dtrain_workspace), intent(in), optional :: workspace
        type(c_ptr) :: handle
        handle = c_null_ptr
        if (present(workspace)) handle = workspace%handle
    end function

    ! ---- calls ----

    !> The layout of `rows` samples of `width` numbers each.
    pure function layout(data, type, rows, width, samples_first) result(array)
        type(c_ptr), intent(in) :: data
        integer(c_int), intent(in) :: type
        integer, intent(in) :: rows, width
        logical, intent(in) :: samples_first
        type(c_array) :: array
        array%data = data
        array%type = type
        array%row_stride = merge(1, width, samples_first)
        array%stride = merge(rows, 1, samples_first)
    end function

    subroutine predict_any(self, workspace, type, x, x_rows, x_size, y, y_rows, y_size, samples_first, state, error)
        class(dtrain_model), intent(in) :: self
        type(dtrain_workspace), intent(in), optional :: workspace
        integer(c_int), intent(in) :: type
        type(c_ptr), intent(in) :: x, y
        integer, intent(in) :: x_rows, x_size, y_rows, y_size
        logical, intent(in), optional :: samples_first
        real(c_float), intent(inout), optional, contiguous, target :: state(:, :)
        type(dtrain_error), intent(out), optional :: error
        type(dtrain_error) :: found
        type(c_ptr) :: states
        integer(c_int) :: code
        logical :: first
        character(160) :: text
        if (x_rows /= y_rows .or. x_size /= x_rows * self%inputs() .or. y_size /= y_rows * self%outputs()) then
            write (text, "(a,i0,a,i0,a,i0,a,i0,a,i0,a,i0)") "x has ", x_rows, " samples, ", x_size, " numbers, and y ", &
                y_rows, " samples, ", y_size, " numbers; a sample has ", self%inputs(), " inputs and outputs: ", self%outputs()
            call refuse(trim(text), error)
            return
        end if
        states = c_null_ptr
        if (present(state)) then
            if (size(state) /= x_rows * self%states()) then
                call refuse("state has other numbers than states() for each sample", error)
                return
            end if
            if (size(state) > 0) states = c_loc(state)
        end if
        first = .false.
        if (present(samples_first)) first = samples_first
        code = c_predict(self%handle, handle_of(workspace), int(x_rows, c_int64_t), &
            layout(x, type, x_rows, self%inputs(), first), layout(y, type, y_rows, self%outputs(), first), states, states, &
            found%of_c)
        call settle(code, found, error)
    end subroutine

    subroutine predict_s1(self, x, y, error, workspace, state)
        class(dtrain_model), intent(in) :: self
        real(c_float), intent(in), contiguous, target :: x(:)
        real(c_float), intent(inout), contiguous, target :: y(:)
        type(dtrain_error), intent(out), optional :: error
        type(dtrain_workspace), intent(in), optional :: workspace
        real(c_float), intent(inout), optional, contiguous, target :: state(:, :)
        call predict_any(self, workspace, is_float, c_loc(x), 1, size(x), c_loc(y), 1, size(y), state=state, error=error)
    end subroutine

    subroutine predict_s2(self, x, y, error, workspace, state, samples_first)
        class(dtrain_model), intent(in) :: self
        real(c_float), intent(in), contiguous, target :: x(:, :)
        real(c_float), intent(inout), contiguous, target :: y(:, :)
        type(dtrain_error), intent(out), optional :: error
        type(dtrain_workspace), intent(in), optional :: workspace
        real(c_float), intent(inout), optional, contiguous, target :: state(:, :)
        logical, intent(in), optional :: samples_first
        call predict_any(self, workspace, is_float, c_loc(x), size(x, counts(samples_first)), size(x), c_loc(y), &
            size(y, counts(samples_first)), size(y), samples_first, state, error)
    end subroutine

    subroutine predict_s3(self, x, y, error, workspace, state)
        class(dtrain_model), intent(in) :: self
        real(c_float), intent(in), contiguous, target :: x(:, :, :)
        real(c_float), intent(inout), contiguous, target :: y(:, :)
        type(dtrain_error), intent(out), optional :: error
        type(dtrain_workspace), intent(in), optional :: workspace
        real(c_float), intent(inout), optional, contiguous, target :: state(:, :)
        call predict_any(self, workspace, is_float, c_loc(x), size(x, 3), size(x), c_loc(y), size(y, 2), size(y), &
            state=state, error=error)
    end subroutine

    subroutine predict_s33(self, x, y, error, workspace, state)
        class(dtrain_model), intent(in) :: self
        real(c_float), intent(in), contiguous, target :: x(:, :, :)
        real(c_float), intent(inout), contiguous, target :: y(:, :, :)
        type(dtrain_error), intent(out), optional :: error
        type(dtrain_workspace), intent(in), optional :: workspace
        real(c_float), intent(inout), optional, contiguous, target :: state(:, :)
        call predict_any(self, workspace, is_float, c_loc(x), size(x, 3), size(x), c_loc(y), size(y, 3), size(y), &
            state=state, error=error)
    end subroutine

    subroutine predict_s4(self, x, y, error, workspace, state)
        class(dtrain_model), intent(in) :: self
        real(c_float), intent(in), contiguous, target :: x(:, :, :, :)
        real(c_float), intent(inout), contiguous, target :: y(:, :)
        type(dtrain_error), intent(out), optional :: error
        type(dtrain_workspace), intent(in), optional :: workspace
        real(c_float), intent(inout), optional, contiguous, target :: state(:, :)
        call predict_any(self, workspace, is_float, c_loc(x), size(x, 4), size(x), c_loc(y), size(y, 2), size(y), &
            state=state, error=error)
    end subroutine

    subroutine predict_s44(self, x, y, error, workspace, state)
        class(dtrain_model), intent(in) :: self
        real(c_float), intent(in), contiguous, target :: x(:, :, :, :)
        real(c_float), intent(inout), contiguous, target :: y(:, :, :, :)
        type(dtrain_error), intent(out), optional :: error
        type(dtrain_workspace), intent(in), optional :: workspace
        real(c_float), intent(inout), optional, contiguous, target :: state(:, :)
        call predict_any(self, workspace, is_float, c_loc(x), size(x, 4), size(x), c_loc(y), size(y, 4), size(y), &
            state=state, error=error)
    end subroutine

    subroutine predict_d1(self, x, y, error, workspace, state)
        class(dtrain_model), intent(in) :: self
        real(c_double), intent(in), contiguous, target :: x(:)
        real(c_double), intent(inout), contiguous, target :: y(:)
        type(dtrain_error), intent(out), optional :: error
        type(dtrain_workspace), intent(in), optional :: workspace
        real(c_float), intent(inout), optional, contiguous, target :: state(:, :)
        call predict_any(self, workspace, is_double, c_loc(x), 1, size(x), c_loc(y), 1, size(y), state=state, error=error)
    end subroutine

    subroutine predict_d2(self, x, y, error, workspace, state, samples_first)
        class(dtrain_model), intent(in) :: self
        real(c_double), intent(in), contiguous, target :: x(:, :)
        real(c_double), intent(inout), contiguous, target :: y(:, :)
        type(dtrain_error), intent(out), optional :: error
        type(dtrain_workspace), intent(in), optional :: workspace
        real(c_float), intent(inout), optional, contiguous, target :: state(:, :)
        logical, intent(in), optional :: samples_first
        call predict_any(self, workspace, is_double, c_loc(x), size(x, counts(samples_first)), size(x), c_loc(y), &
            size(y, counts(samples_first)), size(y), samples_first, state, error)
    end subroutine

    subroutine predict_d3(self, x, y, error, workspace, state)
        class(dtrain_model), intent(in) :: self
        real(c_double), intent(in), contiguous, target :: x(:, :, :)
        real(c_double), intent(inout), contiguous, target :: y(:, :)
        type(dtrain_error), intent(out), optional :: error
        type(dtrain_workspace), intent(in), optional :: workspace
        real(c_float), intent(inout), optional, contiguous, target :: state(:, :)
        call predict_any(self, workspace, is_double, c_loc(x), size(x, 3), size(x), c_loc(y), size(y, 2), size(y), &
            state=state, error=error)
    end subroutine

    subroutine predict_d33(self, x, y, error, workspace, state)
        class(dtrain_model), intent(in) :: self
        real(c_double), intent(in), contiguous, target :: x(:, :, :)
        real(c_double), intent(inout), contiguous, target :: y(:, :, :)
        type(dtrain_error), intent(out), optional :: error
        type(dtrain_workspace), intent(in), optional :: workspace
        real(c_float), intent(inout), optional, contiguous, target :: state(:, :)
        call predict_any(self, workspace, is_double, c_loc(x), size(x, 3), size(x), c_loc(y), size(y, 3), size(y), &
            state=state, error=error)
    end subroutine

    subroutine predict_d4(self, x, y, error, workspace, state)
        class(dtrain_model), intent(in) :: self
        real(c_double), intent(in), contiguous, target :: x(:, :, :, :)
        real(c_double), intent(inout), contiguous, target :: y(:, :)
        type(dtrain_error), intent(out), optional :: error
        type(dtrain_workspace), intent(in), optional :: workspace
        real(c_float), intent(inout), optional, contiguous, target :: state(:, :)
        call predict_any(self, workspace, is_double, c_loc(x), size(x, 4), size(x), c_loc(y), size(y, 2), size(y), &
            state=state, error=error)
    end subroutine

    subroutine predict_d44(self, x, y, error, workspace, state)
        class(dtrain_model), intent(in) :: self
        real(c_double), intent(in), contiguous, target :: x(:, :, :, :)
        real(c_double), intent(inout), contiguous, target :: y(:, :, :, :)
        type(dtrain_error), intent(out), optional :: error
        type(dtrain_workspace), intent(in), optional :: workspace
        real(c_float), intent(inout), optional, contiguous, target :: state(:, :)
        call predict_any(self, workspace, is_double, c_loc(x), size(x, 4), size(x), c_loc(y), size(y, 4), size(y), &
            state=state, error=error)
    end subroutine

    !> The dimension that counts samples.
    pure function counts(samples_first) result(dimension)
        logical, intent(in), optional :: samples_first
        integer :: dimension
        dimension = 2
        if (present(samples_first)) dimension = merge(1, 2, samples_first)
    end function

    ! ---- derivatives ----

    subroutine vjp_any(self, workspace, type, rows, sizes, x, dy, dx, error)
        class(dtrain_model), intent(in) :: self
        type(dtrain_workspace), intent(in), optional :: workspace
        integer(c_int), intent(in) :: type
        integer, intent(in) :: rows, sizes(3)
        type(c_ptr), intent(in) :: x, dy, dx
        type(dtrain_error), intent(out), optional :: error
        type(dtrain_error) :: found
        integer(c_int) :: code
        integer :: inputs, outputs
        inputs = self%inputs()
        outputs = self%outputs()
        if (any(sizes /= rows * [inputs, outputs, inputs])) then
            call refuse("x, dy and dx have not inputs, outputs and inputs for each sample", error)
            return
        end if
        code = c_vjp(self%handle, handle_of(workspace), int(rows, c_int64_t), layout(x, type, rows, inputs, .false.), &
            layout(dy, type, rows, outputs, .false.), layout(dx, type, rows, inputs, .false.), c_null_ptr, found%of_c)
        call settle(code, found, error)
    end subroutine

    subroutine vjp_s1(self, x, dy, dx, error, workspace)
        class(dtrain_model), intent(in) :: self
        real(c_float), intent(in), contiguous, target :: x(:), dy(:)
        real(c_float), intent(inout), contiguous, target :: dx(:)
        type(dtrain_error), intent(out), optional :: error
        type(dtrain_workspace), intent(in), optional :: workspace
        call vjp_any(self, workspace, is_float, 1, [size(x), size(dy), size(dx)], c_loc(x), c_loc(dy), c_loc(dx), error)
    end subroutine

    subroutine vjp_s2(self, x, dy, dx, error, workspace)
        class(dtrain_model), intent(in) :: self
        real(c_float), intent(in), contiguous, target :: x(:, :), dy(:, :)
        real(c_float), intent(inout), contiguous, target :: dx(:, :)
        type(dtrain_error), intent(out), optional :: error
        type(dtrain_workspace), intent(in), optional :: workspace
        call vjp_any(self, workspace, is_float, size(x, 2), [size(x), size(dy), size(dx)], c_loc(x), c_loc(dy), c_loc(dx), &
            error)
    end subroutine

    subroutine vjp_d1(self, x, dy, dx, error, workspace)
        class(dtrain_model), intent(in) :: self
        real(c_double), intent(in), contiguous, target :: x(:), dy(:)
        real(c_double), intent(inout), contiguous, target :: dx(:)
        type(dtrain_error), intent(out), optional :: error
        type(dtrain_workspace), intent(in), optional :: workspace
        call vjp_any(self, workspace, is_double, 1, [size(x), size(dy), size(dx)], c_loc(x), c_loc(dy), c_loc(dx), error)
    end subroutine

    subroutine vjp_d2(self, x, dy, dx, error, workspace)
        class(dtrain_model), intent(in) :: self
        real(c_double), intent(in), contiguous, target :: x(:, :), dy(:, :)
        real(c_double), intent(inout), contiguous, target :: dx(:, :)
        type(dtrain_error), intent(out), optional :: error
        type(dtrain_workspace), intent(in), optional :: workspace
        call vjp_any(self, workspace, is_double, size(x, 2), [size(x), size(dy), size(dx)], c_loc(x), c_loc(dy), c_loc(dx), &
            error)
    end subroutine

    subroutine jacobian_any(self, workspace, type, sizes, x, jacobian, error)
        class(dtrain_model), intent(in) :: self
        type(dtrain_workspace), intent(in), optional :: workspace
        integer(c_int), intent(in) :: type
        integer, intent(in) :: sizes(3)
        type(c_ptr), intent(in) :: x, jacobian
        type(dtrain_error), intent(out), optional :: error
        type(dtrain_error) :: found
        integer(c_int) :: code
        if (any(sizes /= [self%inputs(), self%inputs(), self%outputs()])) then
            call refuse("x must have inputs() numbers, and jacobian be [inputs(), outputs()]", error)
            return
        end if
        code = c_jacobian(self%handle, handle_of(workspace), 1_c_int64_t, layout(x, type, 1, self%inputs(), .false.), &
            jacobian, found%of_c)
        call settle(code, found, error)
    end subroutine

    subroutine jacobian_s(self, x, jacobian, error, workspace)
        class(dtrain_model), intent(in) :: self
        real(c_float), intent(in), contiguous, target :: x(:)
        real(c_float), intent(inout), contiguous, target :: jacobian(:, :)
        type(dtrain_error), intent(out), optional :: error
        type(dtrain_workspace), intent(in), optional :: workspace
        call jacobian_any(self, workspace, is_float, [size(x), shape(jacobian)], c_loc(x), c_loc(jacobian), error)
    end subroutine

    subroutine jacobian_d(self, x, jacobian, error, workspace)
        class(dtrain_model), intent(in) :: self
        real(c_double), intent(in), contiguous, target :: x(:)
        real(c_double), intent(inout), contiguous, target :: jacobian(:, :)
        type(dtrain_error), intent(out), optional :: error
        type(dtrain_workspace), intent(in), optional :: workspace
        call jacobian_any(self, workspace, is_double, [size(x), shape(jacobian)], c_loc(x), c_loc(jacobian), error)
    end subroutine

    ! ---- ranges ----

    function outside_any(self, type, size_of, x) result(count)
        class(dtrain_model), intent(in) :: self
        integer(c_int), intent(in) :: type
        integer, intent(in) :: size_of
        type(c_ptr), intent(in) :: x
        integer(c_int64_t) :: count
        type(dtrain_error_c) :: found
        integer :: rows
        rows = size_of / self%inputs()
        if (c_outside(self%handle, int(rows, c_int64_t), layout(x, type, rows, self%inputs(), .false.), c_null_ptr, count, &
            found) /= dtrain_ok) count = -1
    end function

    function outside_s(self, x) result(count)
        class(dtrain_model), intent(in) :: self
        real(c_float), intent(in), contiguous, target :: x(:, :)
        integer(c_int64_t) :: count
        count = outside_any(self, is_float, size(x), c_loc(x))
    end function

    function outside_d(self, x) result(count)
        class(dtrain_model), intent(in) :: self
        real(c_double), intent(in), contiguous, target :: x(:, :)
        integer(c_int64_t) :: count
        count = outside_any(self, is_double, size(x), c_loc(x))
    end function

end module
