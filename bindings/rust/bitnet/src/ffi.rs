// What every call into C needs: handles that free themselves, texts in and out, panics of callbacks brought back to the call
// that started them.
use crate::enums::Status;
use crate::error::{check, Error, Result};
use bitnet_sys as sys;
use std::any::Any;
use std::cell::RefCell;
use std::ffi::{CStr, CString};
use std::ops::ControlFlow;
use std::os::raw::{c_char, c_void};
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};

/// A handle that is ours. NULL until the library has filled it in; every `_free` takes NULL.
pub(crate) struct Handle<T> {
    raw: *mut T,
    free: unsafe extern "C" fn(*mut T),
}

impl<T> Handle<T> {
    /// Runs a call that fills in a handle. The handle is ours before the status is looked at, so that nothing is lost where
    /// a callback's panic goes on from here.
    pub(crate) fn create(
        free: unsafe extern "C" fn(*mut T),
        call: impl FnOnce(*mut *mut T) -> sys::bitnet_status,
    ) -> Result<Handle<T>> {
        let mut handle = Handle { raw: std::ptr::null_mut(), free };
        check(call(&mut handle.raw))?;
        Ok(handle)
    }

    pub(crate) fn raw(&self) -> *mut T {
        self.raw
    }
}

impl<T> Drop for Handle<T> {
    fn drop(&mut self) {
        // SAFETY: the library gave it to us through create(), and nobody else frees it.
        unsafe { (self.free)(self.raw) }
    }
}

/// A text that the library lends, copied; NULL is "".
///
/// # Safety
/// NULL, or a C string that lives during the call.
pub(crate) unsafe fn text(raw: *const c_char) -> String {
    if raw.is_null() {
        return String::new();
    }
    CStr::from_ptr(raw).to_string_lossy().into_owned()
}

/// A text for the library. NUL inside of it would cut it off in silence, so it is an error.
pub(crate) fn c_text(what: &str, value: &str) -> Result<CString> {
    CString::new(value).map_err(|_| Error::of_caller(Status::Argument, format!("{} has a NUL inside", what)))
}

/// The pointer of an optional text; it lives as long as the text.
pub(crate) fn pointer_of(value: &Option<CString>) -> *const c_char {
    value.as_ref().map_or(std::ptr::null(), |text| text.as_ptr())
}

/// Results whose size the library tells: asks, makes room, asks again until it fits (some grow in between).
pub(crate) fn sized<T: Clone>(
    zero: T,
    extra: usize,
    mut call: impl FnMut(*mut T, usize, *mut usize) -> sys::bitnet_status,
) -> Result<Vec<T>> {
    let mut buffer: Vec<T> = Vec::new();
    loop {
        let mut size = 0;
        let status = call(buffer.as_mut_ptr(), buffer.len(), &mut size);
        if status != sys::BITNET_E_BUFFER_TOO_SMALL {
            check(status)?;
            buffer.truncate(size);
            return Ok(buffer);
        }
        buffer = vec![zero.clone(); size + extra];
    }
}

/// The same for texts, which end in a NUL.
pub(crate) fn sized_text(mut call: impl FnMut(*mut c_char, usize, *mut usize) -> sys::bitnet_status) -> Result<String> {
    let bytes = sized(0u8, 1, |buffer, capacity, size| call(buffer.cast(), capacity, size))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A struct that begins with its size, which the library fills in.
pub(crate) fn filled<T>(call: impl FnOnce(*mut T) -> sys::bitnet_status) -> Result<T> {
    // SAFETY: the structs of the raw layer are plain numbers and pointers, for which zeros are values, and every one that is
    // asked for here begins with a u32, struct_size.
    unsafe {
        let mut value: T = std::mem::zeroed();
        (&mut value as *mut T).cast::<u32>().write(std::mem::size_of::<T>() as u32);
        check(call(&mut value))?;
        Ok(value)
    }
}

/// A struct of parameters with its defaults.
pub(crate) fn defaults<T>(init: unsafe extern "C" fn(*mut T, u32)) -> T {
    // SAFETY: as above; init writes no more than it is told.
    unsafe {
        let mut value: T = std::mem::zeroed();
        init(&mut value, std::mem::size_of::<T>() as u32);
        value
    }
}

thread_local! {
    static PANIC: RefCell<Option<Box<dyn Any + Send>>> = const { RefCell::new(None) };
}

/// Runs a callback. A panic may not cross C, so it is kept for the call that started this; None then.
pub(crate) fn guarded<R>(body: impl FnOnce() -> R) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(result) => Some(result),
        Err(panic) => {
            PANIC.with(|slot| {
                slot.borrow_mut().get_or_insert(panic);
            });
            None
        }
    }
}

/// Goes on with a panic of a callback that ran on this thread, now that C is left.
pub(crate) fn resume_panic() {
    if let Some(panic) = PANIC.with(|slot| slot.borrow_mut().take()) {
        resume_unwind(panic);
    }
}

pub(crate) type Progress<'a> = Box<dyn FnMut(f32) -> ControlFlow<()> + 'a>;
pub(crate) type SendProgress = Box<dyn FnMut(f32) -> ControlFlow<()> + Send>;
pub(crate) type Abort = Box<dyn FnMut() -> bool + Send>;

/// # Safety
/// user_data is a Progress that nobody else uses meanwhile.
pub(crate) unsafe extern "C" fn on_progress(progress: f32, user_data: *mut c_void) -> i32 {
    let callback = &mut *user_data.cast::<Progress<'_>>();
    guarded(|| callback(progress).is_break() as i32).unwrap_or(1)
}

/// # Safety
/// user_data is a SendProgress that nobody else uses meanwhile.
pub(crate) unsafe extern "C" fn on_send_progress(progress: f32, user_data: *mut c_void) -> i32 {
    let callback = &mut *user_data.cast::<SendProgress>();
    guarded(|| callback(progress).is_break() as i32).unwrap_or(1)
}

/// # Safety
/// user_data is an Abort that nobody else uses meanwhile.
pub(crate) unsafe extern "C" fn should_abort(user_data: *mut c_void) -> i32 {
    let callback = &mut *user_data.cast::<Abort>();
    guarded(|| callback() as i32).unwrap_or(1)
}
