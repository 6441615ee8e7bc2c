// Adapters (LoRA) of a model.
use crate::error::Result;
use crate::ffi::{filled, Handle};
use crate::infos::AdapterInfo;
use crate::model::{path_text, Model};
use bitnet_sys as sys;
use std::path::Path;

/// A LoRA adapter of one model. It never changes: any thread may use it. See [`crate::Context::set_adapters`].
pub struct Adapter {
    handle: Handle<sys::bitnet_adapter>,
    _model: Model, // and with it the bytes of a model from memory
}

// SAFETY: bitnet.h, section 16: an adapter never changes, any thread may use it.
unsafe impl Send for Adapter {}
unsafe impl Sync for Adapter {}

impl Adapter {
    /// Loads an adapter for a model; the file may change or go afterwards.
    pub fn load(model: &Model, path: impl AsRef<Path>) -> Result<Adapter> {
        let path = path_text(path.as_ref())?;
        // SAFETY: model and path live during the call.
        let handle = Handle::create(sys::bitnet_adapter_free, |out| unsafe {
            sys::bitnet_adapter_load(model.raw(), path.as_ptr(), out)
        })?;
        Ok(Adapter { handle, _model: model.clone() })
    }

    /// The same from bytes, which are copied.
    pub fn from_bytes(model: &Model, data: &[u8]) -> Result<Adapter> {
        // SAFETY: as above.
        let handle = Handle::create(sys::bitnet_adapter_free, |out| unsafe {
            sys::bitnet_adapter_load_from_memory(model.raw(), data.as_ptr().cast(), data.len(), out)
        })?;
        Ok(Adapter { handle, _model: model.clone() })
    }

    pub(crate) fn raw(&self) -> *const sys::bitnet_adapter {
        self.handle.raw()
    }

    /// What the file says about it.
    pub fn info(&self) -> Result<AdapterInfo> {
        // SAFETY: the strings are copied while the handle lives.
        unsafe { Ok(AdapterInfo::from_raw(&filled(|out| sys::bitnet_adapter_get_info(self.raw(), out))?)) }
    }
}
