// The library and the machine: version, log, devices, kernels, environment.
use crate::enums::{LogLevel, Status};
use crate::error::{check, Error, Result};
use crate::ffi::{c_text, filled, guarded, sized_text, text};
use crate::infos::{EnvironmentInfo, KernelInfo};
use crate::reports::{DeviceInfo, DeviceMemory};
use bitnet_sys as sys;
use std::cell::Cell;
use std::os::raw::{c_char, c_void};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// "0.1.0", of the loaded library.
pub fn version() -> String {
    // SAFETY: static storage, here and in what follows.
    unsafe { text(sys::bitnet_version_string()) }
}

/// One line about the library's build.
pub fn build_info() -> String {
    unsafe { text(sys::bitnet_build_info()) }
}

/// Whether the loaded library is one that this crate was written for: the same major version, before 1.0 the same minor one
/// too. Whatever loads or creates something asks this first.
pub fn check_version() -> Result<()> {
    let library = unsafe { sys::bitnet_version_number() };
    if compatible(sys::BITNET_VERSION_NUMBER, library) {
        return Ok(());
    }
    let message = format!(
        "libbitnet {} is loaded, but this crate was written for {}.{}; install that version or the crate of the library's",
        version(),
        sys::BITNET_VERSION_MAJOR,
        sys::BITNET_VERSION_MINOR
    );
    Err(Error::of_caller(Status::Unsupported, message))
}

fn compatible(header: u32, library: u32) -> bool {
    let (major, minor) = (header / 10000, header / 100 % 100);
    library / 10000 == major && (major > 0 || library / 100 % 100 == minor)
}

type LogFn = Arc<dyn Fn(LogLevel, &str) + Send + Sync>;

static LOG: RwLock<Option<LogFn>> = RwLock::new(None);
static SETTING: Mutex<()> = Mutex::new(());

thread_local! {
    static IN_LOG: Cell<bool> = const { Cell::new(false) };
}

unsafe extern "C" fn on_log(level: sys::bitnet_log_level, message: *const c_char, _: *mut c_void) {
    let callback = LOG.read().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(callback) = callback {
        IN_LOG.with(|inside| inside.set(true));
        guarded(|| callback(LogLevel::from_raw(level), &text(message)));
        IN_LOG.with(|inside| inside.set(false));
    }
}

/// Sends messages of at least this level to a function, from any thread. It must not use the library. A panic in it comes
/// out of the call that logged (or, where that was a drop, of the thread's next one); on a thread of the library itself it
/// goes no further.
pub fn set_log(min_level: LogLevel, callback: impl Fn(LogLevel, &str) + Send + Sync + 'static) -> Result<()> {
    replace_log(min_level, Some(Arc::new(callback)))
}

/// Back to silence.
pub fn clear_log() -> Result<()> {
    replace_log(LogLevel::Error, None)
}

fn replace_log(min_level: LogLevel, callback: Option<LogFn>) -> Result<()> {
    if IN_LOG.with(Cell::get) {
        return Err(Error::of_caller(Status::State, "a log callback may not set another one"));
    }
    let _one_at_a_time = SETTING.lock().unwrap_or_else(PoisonError::into_inner);
    let raw: Option<sys::bitnet_log_callback> = callback.as_ref().map(|_| on_log as sys::bitnet_log_callback);
    *LOG.write().unwrap_or_else(PoisonError::into_inner) = callback;
    // SAFETY: the function is static, and needs no data.
    unsafe { sys::bitnet_log_set_callback(raw, min_level.raw(), std::ptr::null_mut()) };
    Ok(())
}

/// Names of the devices that can compute here, the best first.
pub fn devices() -> Vec<String> {
    unsafe { (0..sys::bitnet_device_get_count()).map(|index| text(sys::bitnet_device_get_name(index))).collect() }
}

/// Whether a device ("auto", "cpu", "cuda:0", "cuda:all", ...) can be used; the error says why not.
pub fn check_device(device: &str) -> Result<()> {
    let device = c_text("the device's name", device)?;
    unsafe { check(sys::bitnet_device_check(device.as_ptr())) }
}

/// The memory of a device.
pub fn device_memory(device: &str) -> Result<DeviceMemory> {
    let device = c_text("the device's name", device)?;
    unsafe { Ok(DeviceMemory::from_raw(&filled(|out| sys::bitnet_device_get_memory(device.as_ptr(), out))?)) }
}

/// What a device can do.
pub fn device_info(device: &str) -> Result<DeviceInfo> {
    let device = c_text("the device's name", device)?;
    unsafe { Ok(DeviceInfo::from_raw(&filled(|out| sys::bitnet_device_get_info(device.as_ptr(), out))?)) }
}

/// Every device as one JSON object.
pub fn devices_json() -> Result<String> {
    sized_text(|out, capacity, size| unsafe { sys::bitnet_device_get_json(out, capacity, size) })
}

/// The kernels of the library's build.
pub fn kernels() -> Result<Vec<KernelInfo>> {
    (0..unsafe { sys::bitnet_kernel_get_count() })
        .map(|i| unsafe { Ok(KernelInfo::from_raw(&filled(|out| sys::bitnet_kernel_get_info(i, out))?)) })
        .collect()
}

/// What the library was built with.
pub fn features() -> Vec<String> {
    unsafe { (0..sys::bitnet_feature_get_count()).map(|index| text(sys::bitnet_feature_get_name(index))).collect() }
}

/// Threads that this process may really use.
pub fn thread_limit() -> i32 {
    unsafe { sys::bitnet_cpu_get_thread_limit() }
}

/// The environment variables as the library understood them; an error names the first with a bad value.
pub fn environment() -> Result<EnvironmentInfo> {
    unsafe { Ok(EnvironmentInfo::from_raw(&filled(|out| sys::bitnet_environment_get_info(out))?)) }
}

#[cfg(test)]
mod tests {
    use super::compatible;

    #[test]
    fn c14_versions_fit_by_major_and_before_1_0_by_minor() {
        assert!(compatible(100, 100) && compatible(100, 107) && compatible(105, 100));
        assert!(!compatible(100, 200) && !compatible(200, 100) && !compatible(100, 10100));
        assert!(compatible(10200, 10000) && compatible(10000, 19900));
        assert!(!compatible(10000, 20000) && !compatible(20000, 10000));
    }
}
