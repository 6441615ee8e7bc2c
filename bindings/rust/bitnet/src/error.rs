// Errors: what the library knows of a failure, read on the thread on which it happened right after the call.
use crate::enums::{Family, Severity, Status};
use crate::ffi::{self, text};
use bitnet_sys as sys;
use std::fmt;

/// What calls return that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// A call that failed: a status to act on, a sentence to show, and what a person can do.
#[derive(Clone)]
pub struct Error(Box<Details>);

#[derive(Clone, Debug)]
struct Details {
    status: Status,
    family: Family,
    severity: Severity,
    recoverable: bool,
    message: String,
    suggestions: Vec<String>,
    subject: String,
    file: String,
    operation: String,
    json: String,
    numbers: Option<(u64, u64)>,
    offset: Option<u64>,
}

impl Status {
    /// `"BITNET_E_KV_FULL"`.
    pub fn name(self) -> String {
        // SAFETY: static storage.
        unsafe { text(sys::bitnet_status_name(self.raw())) }
    }
}

impl Family {
    /// `"GgufParse"`.
    pub fn name(self) -> String {
        // SAFETY: static storage.
        unsafe { text(sys::bitnet_error_family_name(self.raw())) }
    }
}

/// What is known of a status before anything failed.
fn known(status: Status, message: String) -> Details {
    let raw = status.raw();
    // SAFETY: static strings; NULL past the last suggestion.
    unsafe {
        let suggestions = (0..)
            .map(|index| sys::bitnet_status_get_suggestion(raw, index))
            .take_while(|suggestion| !suggestion.is_null())
            .map(|suggestion| text(suggestion))
            .collect();
        Details {
            status,
            family: Family::from_raw(sys::bitnet_status_get_family(raw)),
            severity: Severity::from_raw(sys::bitnet_status_get_severity(raw)),
            recoverable: sys::bitnet_status_is_recoverable(raw) != 0,
            message,
            suggestions,
            subject: String::new(),
            file: String::new(),
            operation: String::new(),
            json: String::new(),
            numbers: None,
            offset: None,
        }
    }
}

impl Error {
    /// The failure of the call that has just returned on this thread.
    fn last(status: sys::bitnet_status) -> Error {
        // SAFETY: the struct says its size; its strings live until the next failing call of this thread.
        unsafe {
            let mut info: sys::bitnet_error_info = std::mem::zeroed();
            info.struct_size = std::mem::size_of::<sys::bitnet_error_info>() as u32;
            let told = sys::bitnet_last_error_get_info(&mut info) == sys::BITNET_OK && info.status == status;
            let mut details = known(Status::from_raw(status), if told { text(info.message) } else { String::new() });
            if details.message.is_empty() {
                details.message = text(sys::bitnet_status_text(status));
            }
            if told {
                details.subject = text(info.subject);
                details.file = text(info.file);
                details.operation = text(info.operation);
                details.numbers = (info.has_numbers != 0).then_some((info.expected, info.actual));
                details.offset = (info.has_offset != 0).then_some(info.offset);
                // The suggestions with the file's name put in are the lines after the message.
                details.suggestions = last_text(sys::bitnet_last_error_get_user_message)
                    .lines()
                    .filter_map(|line| line.strip_prefix("- ").map(str::to_string))
                    .collect();
                details.json = last_text(sys::bitnet_last_error_get_json);
            }
            Error(Box::new(details))
        }
    }

    /// The same where a call gives no status, but NULL.
    pub(crate) fn last_of_null() -> Error {
        // SAFETY: the struct says its size.
        let status = unsafe {
            let mut info: sys::bitnet_error_info = std::mem::zeroed();
            info.struct_size = std::mem::size_of::<sys::bitnet_error_info>() as u32;
            sys::bitnet_last_error_get_info(&mut info);
            info.status
        };
        Error::last(if status == sys::BITNET_OK { sys::BITNET_E_INTERNAL } else { status })
    }

    /// A mistake that this layer has found before C was called.
    pub(crate) fn of_caller(status: Status, message: impl Into<String>) -> Error {
        Error(Box::new(known(status, message.into())))
    }

    /// What failed, to act on.
    pub fn status(&self) -> Status {
        self.0.status
    }

    /// What it is about.
    pub fn family(&self) -> Family {
        self.0.family
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.0.severity
    }

    /// Whether the same program can try again, after what the suggestions say.
    pub fn is_recoverable(&self) -> bool {
        self.0.recoverable
    }

    /// One line for a person: what, where, and what to do next.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What a person can do, a sentence each.
    pub fn suggestions(&self) -> &[String] {
        &self.0.suggestions
    }

    /// The tensor, key, token or file that it is about; "" where there is none.
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// The file that was read, or the model's; "" where there is none.
    pub fn file(&self) -> &str {
        &self.0.file
    }

    /// The function of bitnet.h that failed; "" where none was called.
    pub fn operation(&self) -> &str {
        &self.0.operation
    }

    /// What would have been right, and what was found: sizes, counts, limits.
    pub fn expected_and_actual(&self) -> Option<(u64, u64)> {
        self.0.numbers
    }

    /// Byte position in the file.
    pub fn offset(&self) -> Option<u64> {
        self.0.offset
    }

    /// Everything that is known, as one JSON object (`"bitnet-error/1"`); "" for mistakes found before C was called.
    pub fn json(&self) -> &str {
        &self.0.json
    }
}

/// Texts about the last failure. None of these calls replaces it.
unsafe fn last_text(
    call: unsafe extern "C" fn(*mut std::os::raw::c_char, usize, *mut usize) -> sys::bitnet_status,
) -> String {
    let mut size = 0;
    call(std::ptr::null_mut(), 0, &mut size);
    let mut bytes = vec![0u8; size + 1];
    if call(bytes.as_mut_ptr().cast(), bytes.len(), &mut size) != sys::BITNET_OK {
        return String::new();
    }
    bytes.truncate(size);
    String::from_utf8_lossy(&bytes).into_owned()
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.message())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Error")
            .field("status", &self.0.status)
            .field("family", &self.0.family)
            .field("message", &self.0.message)
            .field("suggestions", &self.0.suggestions)
            .finish()
    }
}

impl std::error::Error for Error {}

/// What every call into C that may fail or call back goes through.
pub(crate) fn check(status: sys::bitnet_status) -> Result<()> {
    if status == sys::BITNET_OK {
        ffi::resume_panic();
        return Ok(());
    }
    let error = Error::last(status);
    ffi::resume_panic();
    Err(error)
}
