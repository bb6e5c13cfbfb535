//! A llama.cpp context of an encoder whose tensors can be observed while a pass is computed.

use std::ffi::{CStr, c_void};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};

use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_sys_2 as sys;

use super::logs;
use crate::EngineError;
use crate::halt::Halt;

/// Looks at tensors of a running pass by their llama.cpp names, such as `kq_soft_max-5`.
pub(crate) trait Observer {
    fn wants(&self, name: &str) -> bool;
    fn observe(&mut self, name: &str, tensor: &TensorView<'_>);
}

/// How the context of an encoder is set up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EncoderOptions {
    /// Most tokens of a pass.
    pub(crate) tokens: usize,
    pub(crate) threads: usize,
    pub(crate) flash_attention: FlashAttention,
}

/// With flash attention the softmax never exists as a tensor and cannot be observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FlashAttention {
    Off,
    On,
}

impl FlashAttention {
    /// The same in llama.cpp's words.
    pub(crate) fn policy(self) -> sys::llama_flash_attn_type {
        match self {
            Self::Off => sys::LLAMA_FLASH_ATTN_TYPE_DISABLED,
            Self::On => sys::LLAMA_FLASH_ATTN_TYPE_ENABLED,
        }
    }
}

/// A contiguous f32 tensor of the running pass.
pub(crate) struct TensorView<'pass> {
    tensor: NonNull<sys::ggml_tensor>,
    _pass: PhantomData<&'pass ()>,
}

/// A llama.cpp context of an encoder, with an observer. It keeps nothing from one pass to the next.
pub(crate) struct EncoderContext<'model> {
    context: NonNull<sys::llama_context>,
    trampoline: Box<Trampoline>,
    options: EncoderOptions,
    /// Numbers of one token's vector.
    width: usize,
    halt: Halt,
    _model: PhantomData<&'model LlamaModel>,
}

/// What the C callback finds behind its user data.
struct Trampoline {
    observer: Option<NonNull<dyn Observer>>,
    panicked: bool,
}

impl<'model> EncoderContext<'model> {
    pub(crate) fn new(model: &'model LlamaModel, options: EncoderOptions) -> Result<Self, EngineError> {
        let mut trampoline = Box::new(Trampoline { observer: None, panicked: false });
        // SAFETY: a plain constructor of a plain struct.
        let mut params = unsafe { sys::llama_context_default_params() };
        params.n_ctx = u32::try_from(options.tokens).unwrap_or(u32::MAX);
        params.n_batch = params.n_ctx;
        params.n_ubatch = params.n_ctx;
        params.n_seq_max = 1;
        params.n_threads = i32::try_from(options.threads).unwrap_or(1);
        params.n_threads_batch = params.n_threads;
        params.flash_attn_type = options.flash_attention.policy();
        params.pooling_type = sys::LLAMA_POOLING_TYPE_NONE;
        params.embeddings = true;
        params.no_perf = true;
        params.cb_eval = Some(callback);
        params.cb_eval_user_data = (&raw mut *trampoline).cast::<c_void>();
        // SAFETY: the model outlives the context ('model), llama.cpp changes of it only `n_ctx_train`
        // bookkeeping, and contexts are made one after the other by the engine's start. The
        // trampoline is boxed, so its address stays valid for as long as the context lives.
        let context = unsafe { sys::llama_init_from_model(model_pointer(model), params) };
        let context = NonNull::new(context).ok_or_else(|| EngineError::Compute {
            operation: "creating the encoder's context",
            reason: "llama.cpp returned no context".into(),
        })?;
        Ok(Self {
            context,
            trampoline,
            options,
            width: vector_width(model),
            halt: Halt::default(),
            _model: PhantomData,
        })
    }

    /// Ends in the middle of a pass once `halt` is raised.
    pub(crate) fn stop_on(&mut self, halt: Halt) {
        let flag: *const AtomicBool = halt.flag();
        // SAFETY: the context is alive and used by this thread alone (&mut self). The flag lives as long as `self.halt`, which
        // is kept until the context is freed; the callback only reads it, from whichever thread.
        unsafe {
            sys::llama_set_abort_callback(self.context.as_ptr(), Some(is_unwanted), flag.cast_mut().cast::<c_void>());
        }
        self.halt = halt;
    }

    /// Computes one pass over a text, showing its tensors to `observer`. Gives the vectors of all tokens: `token * width ..`.
    ///
    /// # Errors
    /// Too many tokens, or a failed pass.
    pub(crate) fn encode(
        &mut self,
        tokens: &[LlamaToken],
        observer: &mut dyn Observer,
    ) -> Result<Vec<f32>, EngineError> {
        let (count, most) = (tokens.len(), self.options.tokens);
        if count == 0 || count > most {
            return Err(failed(format!("{count} tokens given, 1 to {most} allowed")));
        }
        let mut ids: Vec<sys::llama_token> = tokens.iter().map(|token| token.0).collect();
        let mut positions: Vec<sys::llama_pos> = (0..).take(count).collect();
        let mut sequence_counts = vec![1_i32; count];
        let mut sequence: sys::llama_seq_id = 0;
        let mut sequences = vec![&raw mut sequence; count];
        let mut outputs = vec![1_i8; count];
        let batch = sys::llama_batch {
            n_tokens: i32::try_from(count).unwrap_or(i32::MAX),
            token: ids.as_mut_ptr(),
            embd: std::ptr::null_mut(),
            pos: positions.as_mut_ptr(),
            n_seq_id: sequence_counts.as_mut_ptr(),
            seq_id: sequences.as_mut_ptr(),
            logits: outputs.as_mut_ptr(),
        };
        // SAFETY: only the lifetime is erased; the observer is taken back before the pass returns,
        // and the callback runs only inside the `llama_encode` below.
        let erased: NonNull<dyn Observer> = unsafe {
            std::mem::transmute::<NonNull<dyn Observer + '_>, NonNull<dyn Observer>>(NonNull::from(observer))
        };
        self.trampoline.observer = Some(erased);
        self.trampoline.panicked = false;
        // SAFETY: the context is alive and used by this thread alone (&mut self); every array of
        // the batch has `n_tokens` entries and outlives the call.
        let code = logs::until_halted(&self.halt, || unsafe { sys::llama_encode(self.context.as_ptr(), batch) });
        self.trampoline.observer = None;
        if self.trampoline.panicked {
            return Err(failed("the observer panicked".into()));
        }
        if self.halt.is_raised() {
            return Err(EngineError::Unwanted);
        }
        if code != 0 {
            return Err(failed(format!("llama_encode gave {code}")));
        }
        self.vectors(count)
    }

    /// The vectors that the last pass left, in the order of its tokens.
    fn vectors(&mut self, tokens: usize) -> Result<Vec<f32>, EngineError> {
        // SAFETY: the context is alive and used by this thread alone (&mut self).
        let vectors = NonNull::new(unsafe { sys::llama_get_embeddings(self.context.as_ptr()) })
            .ok_or_else(|| failed("the model gives no token vectors".into()))?;
        // SAFETY: without pooling an encoder's pass leaves `n_embd` numbers for each of its tokens there, in the batch's
        // order, until the next pass; they are copied before.
        let vectors = unsafe { std::slice::from_raw_parts(vectors.as_ptr(), tokens * self.width) };
        Ok(vectors.to_vec())
    }
}

fn failed(reason: String) -> EngineError {
    EngineError::Compute { operation: "a pass of the encoder", reason }
}

impl Drop for EncoderContext<'_> {
    fn drop(&mut self) {
        // SAFETY: the context was made by llama_init_from_model and is freed once.
        unsafe { sys::llama_free(self.context.as_ptr()) };
    }
}

impl TensorView<'_> {
    /// The tensor's extents, fastest first.
    pub(crate) fn shape(&self) -> [usize; 4] {
        // SAFETY: the tensor is alive while the callback runs, which 'pass stands for.
        let extents = unsafe { self.tensor.as_ref() }.ne;
        extents.map(|extent| usize::try_from(extent).unwrap_or(0))
    }

    /// Copies `out.len()` values from the flat index `from`. Gives false, and changes nothing, if
    /// the tensor is not contiguous f32 or too short.
    pub(crate) fn read(&self, from: usize, out: &mut [f32]) -> bool {
        let length: usize = self.shape().iter().product();
        // SAFETY: the tensor is alive while the callback runs; both calls only read its header.
        let plain = unsafe {
            self.tensor.as_ref().type_ == sys::GGML_TYPE_F32 && sys::ggml_is_contiguous(self.tensor.as_ptr())
        };
        if !plain || from.checked_add(out.len()).is_none_or(|end| end > length) {
            return false;
        }
        // SAFETY: the range lies within the tensor (checked above) and `out` has that many bytes.
        unsafe {
            sys::ggml_backend_tensor_get(
                self.tensor.as_ptr(),
                out.as_mut_ptr().cast::<c_void>(),
                from * size_of::<f32>(),
                size_of_val(out),
            );
        }
        true
    }
}

/// llama.cpp's abort callback: asked between two nodes of a pass whether to end it.
unsafe extern "C" fn is_unwanted(flag: *mut c_void) -> bool {
    // SAFETY: `stop_on` gives the address of a flag that the context keeps alive and that is only read.
    let flag = unsafe { &*flag.cast::<AtomicBool>() };
    flag.load(Ordering::Acquire)
}

/// llama.cpp's evaluation callback: asked first whether a tensor is wanted, then given its data.
unsafe extern "C" fn callback(tensor: *mut sys::ggml_tensor, ask: bool, user_data: *mut c_void) -> bool {
    // SAFETY: user_data is the context's boxed trampoline, which outlives the context.
    let trampoline = unsafe { &mut *user_data.cast::<Trampoline>() };
    let (Some(tensor), Some(mut observer)) = (NonNull::new(tensor), trampoline.observer) else {
        return !ask;
    };
    // SAFETY: set by `pass` from a live exclusive reference that nobody else uses during the call.
    let observer = unsafe { observer.as_mut() };
    // SAFETY: ggml keeps names NUL-terminated inside the tensor.
    let name = unsafe { CStr::from_ptr(tensor.as_ref().name.as_ptr()) };
    let Ok(name) = name.to_str() else { return !ask };
    // A panic must not cross into C.
    let answer = catch_unwind(AssertUnwindSafe(|| {
        if ask {
            observer.wants(name)
        } else {
            let view = TensorView { tensor, _pass: PhantomData };
            observer.observe(name, &view);
            true
        }
    }));
    answer.unwrap_or_else(|_| {
        trampoline.panicked = true;
        false
    })
}

/// Numbers of each vector that a model gives.
pub(crate) fn vector_width(model: &LlamaModel) -> usize {
    // SAFETY: the model is alive; the call only reads it.
    let width = unsafe { sys::llama_model_n_embd_out(model_pointer(model)) };
    usize::try_from(width).unwrap_or(0)
}

/// The pointer inside a `LlamaModel`, which is `#[repr(transparent)]` over it.
fn model_pointer(model: &LlamaModel) -> *mut sys::llama_model {
    const _: () = assert!(size_of::<LlamaModel>() == size_of::<*mut sys::llama_model>());
    // SAFETY: LlamaModel is repr(transparent) over a (repr(transparent)) non-null pointer to
    // llama_model, and the assertion above watches the size.
    unsafe { *(&raw const *model).cast::<*mut sys::llama_model>() }
}
