// What is wrong with a model, and whether a receipt is true.
use crate::error::{check, Result};
use crate::ffi::{defaults, filled, on_progress, sized_text, Handle, Progress};
use crate::infos::ReceiptReport;
use crate::model::{path_text, Model};
use crate::reports::{Finding, ValidatedTensor, ValidationInfo};
use bitnet_sys as sys;
use std::ops::ControlFlow;
use std::path::Path;

/// What a validation found. A bad model is no failure of the call: see [`ValidationInfo::is_valid`].
pub struct ValidationReport {
    handle: Handle<sys::bitnet_validation_report>,
}

// SAFETY: a report never changes.
unsafe impl Send for ValidationReport {}
unsafe impl Sync for ValidationReport {}

impl ValidationReport {
    /// Validates a file, also one that does not load. `callback` hears from 0 to 1; `Break` cancels.
    pub fn of_file(path: impl AsRef<Path>, callback: impl FnMut(f32) -> ControlFlow<()>) -> Result<ValidationReport> {
        crate::check_version()?;
        let path = path_text(path.as_ref())?;
        ValidationReport::create(callback, |params, out| unsafe {
            sys::bitnet_model_validate_file(path.as_ptr(), params, out)
        })
    }

    /// Validates a loaded model by the bytes it was loaded from.
    pub fn of_model(model: &Model, callback: impl FnMut(f32) -> ControlFlow<()>) -> Result<ValidationReport> {
        ValidationReport::create(callback, |params, out| unsafe {
            sys::bitnet_model_validate(model.raw(), params, out)
        })
    }

    fn create(
        callback: impl FnMut(f32) -> ControlFlow<()>,
        call: impl FnOnce(&sys::bitnet_validation_params, *mut *mut sys::bitnet_validation_report) -> sys::bitnet_status,
    ) -> Result<ValidationReport> {
        let mut callback: Progress<'_> = Box::new(callback);
        let mut params: sys::bitnet_validation_params = defaults(sys::bitnet_validation_params_init);
        params.on_progress = Some(on_progress);
        params.progress_user_data = (&mut callback as *mut Progress<'_>).cast();
        let handle = Handle::create(sys::bitnet_validation_report_free, |out| call(&params, out))?;
        Ok(ValidationReport { handle })
    }

    /// The verdict, and how many findings of what kind there are.
    pub fn info(&self) -> Result<ValidationInfo> {
        // SAFETY: here and below, strings are copied while the report lives.
        unsafe {
            Ok(ValidationInfo::from_raw(&filled(|out| sys::bitnet_validation_report_get_info(self.handle.raw(), out))?))
        }
    }

    /// The findings in the order in which they were found.
    pub fn findings(&self) -> Result<Vec<Finding>> {
        let n = self.info()?.n_findings as usize;
        let find = |i| unsafe {
            let raw = filled(|out| sys::bitnet_validation_report_get_finding(self.handle.raw(), i, out))?;
            Ok(Finding::from_raw(&raw))
        };
        (0..n).map(find).collect()
    }

    /// One tensor in the file's order; `Status::NotFound` past the end.
    pub fn tensor(&self, index: usize) -> Result<ValidatedTensor> {
        unsafe {
            let raw = filled(|out| sys::bitnet_validation_report_get_tensor(self.handle.raw(), index, out))?;
            Ok(ValidatedTensor::from_raw(&raw))
        }
    }

    /// All of it as one JSON object.
    pub fn json(&self) -> Result<String> {
        sized_text(|out, capacity, size| unsafe {
            sys::bitnet_validation_report_get_json(self.handle.raw(), out, capacity, size)
        })
    }
}

/// Checks a receipt: its form and digest; with a model also that share of its positions, which `seed` picks. Take a seed that
/// a forger cannot know. `Status::Validation` says what is wrong and where.
pub fn verify_receipt(json: &str, model: Option<&Model>, share: f64, seed: u64) -> Result<ReceiptReport> {
    let mut params: sys::bitnet_receipt_params = defaults(sys::bitnet_receipt_params_init);
    params.replay_share = share;
    params.seed = seed;
    let model = model.map_or(std::ptr::null(), |model| model.raw() as *const _);
    // SAFETY: text, model and parameters live during the call.
    unsafe {
        let mut raw: sys::bitnet_receipt_report = std::mem::zeroed();
        raw.struct_size = std::mem::size_of_val(&raw) as u32;
        check(sys::bitnet_receipt_verify(json.as_ptr().cast(), json.len(), model, &params, &mut raw))?;
        Ok(ReceiptReport::from_raw(&raw))
    }
}
