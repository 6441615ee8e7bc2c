// Models: loaded from a file, bytes or a reader, shared freely; what their file says.
use crate::context::ContextParams;
use crate::enums::{I2sOrder, Status};
use crate::error::{Error, Result};
use crate::ffi::{c_text, defaults, filled, guarded, on_progress, pointer_of, sized_text, Handle, Progress};
use crate::infos::{ModelInfo, TensorInfo};
use crate::reports::{MemoryBreakdown, MemoryEstimate, ModelConfig, QuantizationInfo, TypeUsage};
use crate::tokenizer::Tokenizer;
use bitnet_sys as sys;
use std::ffi::CString;
use std::io::{Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::os::raw::c_void;
use std::path::Path;
use std::sync::Arc;

/// How a model is loaded: `ModelParams::new().threads(2)`.
pub struct ModelParams<'a> {
    raw: sys::bitnet_model_params,
    kernel: Option<String>,
    device: Option<String>,
    tokenizer_path: Option<String>,
    tl_tiling: Option<String>,
    on_progress: Option<Progress<'a>>,
}

impl Default for ModelParams<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> ModelParams<'a> {
    /// The defaults of the library.
    pub fn new() -> ModelParams<'a> {
        ModelParams {
            raw: defaults(sys::bitnet_model_params_init),
            kernel: None,
            device: None,
            tokenizer_path: None,
            tl_tiling: None,
            on_progress: None,
        }
    }

    /// Map the file and use weights in place (default), or read it into memory.
    pub fn mmap(mut self, yes: bool) -> Self {
        self.raw.use_mmap = yes as i32;
        self
    }

    /// Scan weights for values that no converter writes (default).
    pub fn check_weights(mut self, yes: bool) -> Self {
        self.raw.check_weights = yes as i32;
        self
    }

    /// Byte order of I2_S weights, which no file records.
    pub fn i2s_order(mut self, order: I2sOrder) -> Self {
        self.raw.i2s_order = order.raw();
        self
    }

    /// Threads that load; 0: as many as may be used.
    pub fn threads(mut self, threads: i32) -> Self {
        self.raw.n_threads = threads;
        self
    }

    /// Only metadata and tokenizer.
    pub fn vocab_only(mut self, yes: bool) -> Self {
        self.raw.vocab_only = yes as i32;
        self
    }

    /// A kernel or level by name: "scalar".
    pub fn kernel(mut self, name: impl Into<String>) -> Self {
        self.kernel = Some(name.into());
        self
    }

    /// "auto", "cpu", "cuda:0", "cuda:all", ...
    pub fn device(mut self, name: impl Into<String>) -> Self {
        self.device = Some(name.into());
        self
    }

    /// Refuse more bytes of weights than that.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.raw.max_bytes = bytes;
        self
    }

    /// Refuse more tensors than that.
    pub fn max_tensors(mut self, tensors: u64) -> Self {
        self.raw.max_tensors = tensors;
        self
    }

    /// Compute [`Model::sha256`] while loading.
    pub fn sha256(mut self, yes: bool) -> Self {
        self.raw.sha256 = yes as i32;
        self
    }

    /// Validate everything first: 1 refuses errors, 2 warnings too.
    pub fn validate(mut self, level: i32) -> Self {
        self.raw.validate = level;
        self
    }

    /// The tokenizer is this file or folder, whatever the model file has.
    pub fn tokenizer_path(mut self, path: impl Into<String>) -> Self {
        self.tokenizer_path = Some(path.into());
        self
    }

    /// Tile sizes of TL1 and TL2 files.
    pub fn tl_tiling(mut self, tiling: impl Into<String>) -> Self {
        self.tl_tiling = Some(tiling.into());
        self
    }

    /// Called with 0 to 1 on the loading thread; `Break` cancels the load.
    pub fn on_progress(mut self, callback: impl FnMut(f32) -> ControlFlow<()> + 'a) -> Self {
        self.on_progress = Some(Box::new(callback));
        self
    }

    fn with_raw<R>(mut self, body: impl FnOnce(&sys::bitnet_model_params) -> Result<R>) -> Result<R> {
        let own = |name: &str, value: &Option<String>| -> Result<Option<CString>> {
            value.as_deref().map(|value| c_text(name, value)).transpose()
        };
        let kernel = own("the kernel's name", &self.kernel)?;
        let device = own("the device's name", &self.device)?;
        let tokenizer_path = own("the tokenizer's path", &self.tokenizer_path)?;
        let tl_tiling = own("the tiling", &self.tl_tiling)?;
        self.raw.kernel = pointer_of(&kernel);
        self.raw.device = pointer_of(&device);
        self.raw.tokenizer_path = pointer_of(&tokenizer_path);
        self.raw.tl_tiling = pointer_of(&tl_tiling);
        if let Some(callback) = self.on_progress.as_mut() {
            self.raw.on_progress = Some(on_progress);
            self.raw.progress_user_data = (callback as *mut Progress<'a>).cast();
        }
        body(&self.raw)
    }
}

pub(crate) struct ModelHandle {
    handle: Handle<sys::bitnet_model>,
    // The bytes of Model::from_bytes, freed after the handle. Whatever uses the model holds this whole struct.
    _bytes: Option<Box<dyn AsRef<[u8]> + Send + Sync>>,
}

// SAFETY: bitnet.h, "Threads": models never change, share them freely.
unsafe impl Send for ModelHandle {}
unsafe impl Sync for ModelHandle {}

impl ModelHandle {
    pub(crate) fn raw(&self) -> *mut sys::bitnet_model {
        self.handle.raw()
    }
}

/// A loaded model. It never changes; clones share it, from any thread. Contexts, tokenizers and what else is made from it keep
/// it alive.
#[derive(Clone)]
pub struct Model {
    pub(crate) inner: Arc<ModelHandle>,
}

impl Model {
    fn of(handle: Handle<sys::bitnet_model>, bytes: Option<Box<dyn AsRef<[u8]> + Send + Sync>>) -> Model {
        Model { inner: Arc::new(ModelHandle { handle, _bytes: bytes }) }
    }

    /// Loads a GGUF file, or the first part of a split one, with the default parameters. The file must not be changed while
    /// the model lives: it is mapped.
    pub fn load(path: impl AsRef<Path>) -> Result<Model> {
        Model::load_with(path, ModelParams::new())
    }

    /// Loads a GGUF file.
    pub fn load_with(path: impl AsRef<Path>, params: ModelParams<'_>) -> Result<Model> {
        crate::check_version()?;
        let path = path_text(path.as_ref())?;
        params.with_raw(|raw| {
            // SAFETY: path and params live during the call.
            let handle = Handle::create(sys::bitnet_model_free, |out| unsafe {
                sys::bitnet_model_load(path.as_ptr(), raw, out)
            })?;
            Ok(Model::of(handle, None))
        })
    }

    /// Loads a model from the bytes of a GGUF file, `include_bytes!` or a `Vec<u8>` say. Weights are used in place.
    pub fn from_bytes(bytes: impl AsRef<[u8]> + Send + Sync + 'static, params: ModelParams<'_>) -> Result<Model> {
        crate::check_version()?;
        let bytes: Box<dyn AsRef<[u8]> + Send + Sync> = Box::new(bytes);
        params.with_raw(|raw| {
            let view: &[u8] = (*bytes).as_ref();
            let (data, size) = (view.as_ptr(), view.len());
            // SAFETY: the box is kept beside the handle and nobody else has it, so the bytes stay where and what they are.
            let handle = Handle::create(sys::bitnet_model_free, |out| unsafe {
                sys::bitnet_model_load_from_memory(data.cast(), size, raw, out)
            })?;
            Ok(Model::of(handle, Some(bytes)))
        })
    }

    /// Loads a model through a reader, out of an archive say; tensors are read once into memory.
    pub fn from_reader<R: Read + Seek>(reader: R, params: ModelParams<'_>) -> Result<Model> {
        crate::check_version()?;
        struct Source<R> {
            reader: R,
            problem: Option<std::io::Error>,
        }
        unsafe extern "C" fn read<R: Read + Seek>(user: *mut c_void, offset: u64, dst: *mut c_void, size: u64) -> i32 {
            let source = &mut *user.cast::<Source<R>>();
            // The room may hold no values yet, and a reader of safe Rust may look at what it is given.
            std::ptr::write_bytes(dst.cast::<u8>(), 0, size as usize);
            let room = std::slice::from_raw_parts_mut(dst.cast::<u8>(), size as usize);
            let done =
                guarded(|| source.reader.seek(SeekFrom::Start(offset)).and_then(|_| source.reader.read_exact(room)));
            match done {
                Some(Ok(())) => 0,
                Some(Err(problem)) => {
                    source.problem = Some(problem);
                    1
                }
                None => 1,
            }
        }
        let mut source = Source { reader, problem: None };
        let io_error = |problem: std::io::Error| Error::of_caller(Status::Io, format!("the reader: {}", problem));
        let size = source.reader.seek(SeekFrom::End(0)).map_err(io_error)?;
        let table = sys::bitnet_reader {
            struct_size: std::mem::size_of::<sys::bitnet_reader>() as u32,
            size,
            read: Some(read::<R>),
            user_data: (&mut source as *mut Source<R>).cast(),
        };
        let loaded = params.with_raw(|raw| {
            // SAFETY: the reader is used during this call only, on this thread.
            let handle = Handle::create(sys::bitnet_model_free, |out| unsafe {
                sys::bitnet_model_load_from_reader(&table, raw, out)
            })?;
            Ok(Model::of(handle, None))
        });
        match source.problem {
            Some(problem) if loaded.is_err() => Err(io_error(problem)),
            _ => loaded,
        }
    }

    pub(crate) fn raw(&self) -> *mut sys::bitnet_model {
        self.inner.raw()
    }

    /// What the file says about the model.
    pub fn info(&self) -> Result<ModelInfo> {
        // SAFETY: here and below, the handle lives as long as self, and strings are copied while it does.
        unsafe { Ok(ModelInfo::from_raw(&filled(|out| sys::bitnet_model_get_info(self.raw(), out))?)) }
    }

    /// How the model is run.
    pub fn config(&self) -> Result<ModelConfig> {
        unsafe { Ok(ModelConfig::from_raw(&filled(|out| sys::bitnet_model_get_config(self.raw(), out))?)) }
    }

    /// How much room the weights take.
    pub fn quantization(&self) -> Result<QuantizationInfo> {
        unsafe { Ok(QuantizationInfo::from_raw(&filled(|out| sys::bitnet_model_get_quantization(self.raw(), out))?)) }
    }

    /// The same by type of weight, most bytes first.
    pub fn types(&self) -> Result<Vec<TypeUsage>> {
        (0..unsafe { sys::bitnet_model_get_type_count(self.raw()) })
            .map(|i| unsafe { Ok(TypeUsage::from_raw(&filled(|out| sys::bitnet_model_get_type(self.raw(), i, out))?)) })
            .collect()
    }

    /// What the model has or is: "ternary", "tokenizer", ...
    pub fn features(&self) -> Vec<String> {
        (0..)
            .map(|index| unsafe { sys::bitnet_model_get_feature(self.raw(), index) })
            .take_while(|name| !name.is_null())
            .map(|name| unsafe { crate::ffi::text(name) })
            .collect()
    }

    /// The metadata of the file as keys and values, in its order; values as text, long arrays cut off.
    pub fn metadata(&self) -> Result<Vec<(String, String)>> {
        (0..unsafe { sys::bitnet_model_get_metadata_count(self.raw()) })
            .map(|index| {
                let key = sized_text(|buffer, capacity, size| unsafe {
                    sys::bitnet_model_get_metadata_key(self.raw(), index, buffer, capacity, size)
                })?;
                let value = self.metadata_value(&key)?;
                Ok((key, value))
            })
            .collect()
    }

    /// The value of one key; `Status::NotFound` for a key that the file does not have.
    pub fn metadata_value(&self, key: &str) -> Result<String> {
        let key = c_text("the key", key)?;
        sized_text(|buffer, capacity, size| unsafe {
            sys::bitnet_model_get_metadata(self.raw(), key.as_ptr(), buffer, capacity, size)
        })
    }

    /// The tensors in the order of the file.
    pub fn tensors(&self) -> Result<Vec<TensorInfo>> {
        (0..unsafe { sys::bitnet_model_get_tensor_count(self.raw()) })
            .map(|i| unsafe {
                Ok(TensorInfo::from_raw(&filled(|out| sys::bitnet_model_get_tensor(self.raw(), i, out))?))
            })
            .collect()
    }

    /// The tokenizer inside the model file. It keeps the model alive.
    pub fn tokenizer(&self) -> Result<Tokenizer> {
        Tokenizer::of_model(self)
    }

    /// The SHA-256 of the file, as 64 hexadecimal digits.
    pub fn sha256(&self) -> Result<String> {
        sized_text(|buffer, capacity, size| unsafe { sys::bitnet_model_get_sha256(self.raw(), buffer, capacity, size) })
    }

    /// Bytes of the weights by what they are for.
    pub fn memory_breakdown(&self) -> Result<MemoryBreakdown> {
        unsafe {
            Ok(MemoryBreakdown::from_raw(&filled(|out| sys::bitnet_model_get_memory_breakdown(self.raw(), out))?))
        }
    }

    /// What a context with these parameters would hold, to the byte.
    pub fn estimate_memory(&self, params: &ContextParams) -> Result<MemoryEstimate> {
        let raw = params.raw_without_callbacks();
        unsafe {
            Ok(MemoryEstimate::from_raw(&filled(|out| sys::bitnet_model_estimate_memory(self.raw(), &raw, out))?))
        }
    }
}

/// Paths go to the library as UTF-8.
pub(crate) fn path_text(path: &Path) -> Result<CString> {
    let text = path
        .to_str()
        .ok_or_else(|| Error::of_caller(Status::Argument, format!("the path is not UTF-8: {}", path.display())))?;
    c_text("the path", text)
}

/// What all models, contexts and adapters of this process hold now, in bytes.
pub fn memory_used() -> u64 {
    // SAFETY: any thread.
    unsafe { sys::bitnet_memory_get_used() }
}
