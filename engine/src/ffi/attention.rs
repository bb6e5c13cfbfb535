//! A llama.cpp context whose tensors can be observed while a pass is computed.

use std::ffi::{CStr, c_void};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};

use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_sys_2 as sys;

use crate::EngineError;
use crate::halt::Halt;

/// Whether the pass goes on after a tensor was observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Continue,
    /// Ends the pass: everything wanted has been seen, later layers are not computed.
    Stop,
}

/// Looks at tensors of a running pass by their llama.cpp names, such as `kq_soft_max-5`.
pub(crate) trait Observer {
    fn wants(&self, name: &str) -> bool;
    fn observe(&mut self, name: &str, tensor: &TensorView<'_>) -> Flow;
}

/// How the attention context is set up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AttentionOptions {
    pub(crate) tokens: u32,
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

/// A llama.cpp context with an observer. It holds one sequence.
pub(crate) struct AttentionContext<'model> {
    context: NonNull<sys::llama_context>,
    trampoline: Box<Trampoline>,
    capacity: usize,
    halt: Halt,
    _model: PhantomData<&'model LlamaModel>,
}

/// What the C callback finds behind its user data.
struct Trampoline {
    observer: Option<NonNull<dyn Observer>>,
    panicked: bool,
}

impl<'model> AttentionContext<'model> {
    pub(crate) fn new(model: &'model LlamaModel, options: AttentionOptions) -> Result<Self, EngineError> {
        let mut trampoline = Box::new(Trampoline {
            observer: None,
            panicked: false,
        });
        // SAFETY: a plain constructor of a plain struct.
        let mut params = unsafe { sys::llama_context_default_params() };
        params.n_ctx = options.tokens;
        params.n_batch = options.tokens;
        params.n_ubatch = options.tokens;
        params.n_seq_max = 1;
        params.n_threads = i32::try_from(options.threads).unwrap_or(1);
        params.n_threads_batch = params.n_threads;
        params.flash_attn_type = options.flash_attention.policy();
        // Without it the cells of sliding-window layers wrap, and a cell is no longer a position.
        params.swa_full = true;
        params.no_perf = true;
        params.cb_eval = Some(callback);
        params.cb_eval_user_data = (&raw mut *trampoline).cast::<c_void>();
        // SAFETY: the model outlives the context ('model), llama.cpp changes of it only `n_ctx_train`
        // bookkeeping, and contexts are made one after the other by the engine's start. The
        // trampoline is boxed, so its address stays valid for as long as the context lives.
        let context = unsafe { sys::llama_init_from_model(model_pointer(model), params) };
        let context = NonNull::new(context).ok_or_else(|| EngineError::Compute {
            operation: "creating the attention context",
            reason: "llama.cpp returned no context".into(),
        })?;
        Ok(Self {
            context,
            trampoline,
            capacity: options.tokens as usize,
            halt: Halt::default(),
            _model: PhantomData,
        })
    }

    /// Ends in the middle of a pass once `halt` is raised.
    pub(crate) fn heed(&mut self, halt: Halt) {
        let flag: *const AtomicBool = halt.flag();
        // SAFETY: the context is alive and used by this thread alone (&mut self). The flag lives as long as `self.halt`, which
        // is kept until the context is freed; the callback only reads it, from whichever thread.
        unsafe {
            sys::llama_set_abort_callback(
                self.context.as_ptr(),
                Some(is_unwanted),
                flag.cast_mut().cast::<c_void>(),
            );
        }
        self.halt = halt;
    }

    /// Computes one pass over a fresh sequence, from position 0, showing its tensors to `observer`.
    pub(crate) fn pass(&mut self, tokens: &[LlamaToken], observer: &mut dyn Observer) -> Result<(), EngineError> {
        self.pass_behind(0, tokens, observer)
    }

    /// Computes the tokens behind the first `kept` ones of the passes before, which must have gone as far up as this one will.
    ///
    /// # Errors
    /// Too many tokens, a memory that cannot forget a part (see [`Self::forget_behind`]), or a failed pass.
    pub(crate) fn pass_behind(
        &mut self,
        kept: usize,
        tokens: &[LlamaToken],
        observer: &mut dyn Observer,
    ) -> Result<(), EngineError> {
        let end = kept.saturating_add(tokens.len());
        if tokens.is_empty() || end > self.capacity {
            return Err(failed(format!("{end} tokens given, 1 to {} allowed", self.capacity)));
        }
        if !self.forget_behind(kept) {
            return Err(failed(format!("the model's memory cannot keep {kept} tokens")));
        }
        let mut ids: Vec<sys::llama_token> = tokens.iter().map(|token| token.0).collect();
        let mut positions: Vec<sys::llama_pos> = (position(kept)..).take(tokens.len()).collect();
        let mut sequence_counts = vec![1_i32; tokens.len()];
        let mut sequence = SEQUENCE;
        let mut sequences = vec![&raw mut sequence; tokens.len()];
        let mut outputs = vec![0_i8; tokens.len()];
        let batch = sys::llama_batch {
            n_tokens: i32::try_from(tokens.len()).unwrap_or(i32::MAX),
            token: ids.as_mut_ptr(),
            embd: std::ptr::null_mut(),
            pos: positions.as_mut_ptr(),
            n_seq_id: sequence_counts.as_mut_ptr(),
            seq_id: sequences.as_mut_ptr(),
            logits: outputs.as_mut_ptr(),
        };
        // SAFETY: only the lifetime is erased; the observer is taken back before the pass returns,
        // and the callback runs only inside the `llama_decode` below.
        let erased: NonNull<dyn Observer> = unsafe {
            std::mem::transmute::<NonNull<dyn Observer + '_>, NonNull<dyn Observer>>(NonNull::from(observer))
        };
        self.trampoline.observer = Some(erased);
        self.trampoline.panicked = false;
        // SAFETY: the context is alive and used by this thread alone (&mut self); every array of
        // the batch has `n_tokens` entries and outlives the call.
        let code = unsafe { sys::llama_decode(self.context.as_ptr(), batch) };
        self.trampoline.observer = None;
        if self.trampoline.panicked {
            return Err(failed("the observer panicked".into()));
        }
        if self.halt.is_raised() {
            return Err(EngineError::Unwanted);
        }
        if code != 0 {
            return Err(failed(format!("llama_decode gave {code}")));
        }
        Ok(())
    }

    /// Forgets all but the first `kept` tokens. Gives false, and forgets nothing, where the model's memory can only forget
    /// everything, as that of recurrent models.
    pub(crate) fn forget_behind(&mut self, kept: usize) -> bool {
        // SAFETY: the context is alive and used by this thread alone (&mut self); its memory lives as long.
        unsafe {
            let memory = sys::llama_get_memory(self.context.as_ptr());
            if kept == 0 {
                sys::llama_memory_clear(memory, false);
                return true;
            }
            sys::llama_memory_seq_rm(memory, SEQUENCE, position(kept), -1)
        }
    }
}

/// The context's only sequence.
const SEQUENCE: sys::llama_seq_id = 0;

fn position(tokens: usize) -> sys::llama_pos {
    sys::llama_pos::try_from(tokens).unwrap_or(sys::llama_pos::MAX)
}

fn failed(reason: String) -> EngineError {
    EngineError::Compute {
        operation: "an attention pass",
        reason,
    }
}

impl Drop for AttentionContext<'_> {
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

    /// Copies the whole tensor, also one whose rows lie apart, as in a view of a fused matrix.
    /// `None` if it is not f32 or its rows are not contiguous.
    pub(crate) fn read_all(&self) -> Option<Vec<f32>> {
        let [width, rows, planes, volumes] = self.shape();
        let mut values = vec![0.0; width * rows * planes * volumes];
        if self.read(0, &mut values) {
            return Some(values);
        }
        // SAFETY: the tensor is alive while the callback runs, which 'pass stands for.
        let header = unsafe { self.tensor.as_ref() };
        if header.type_ != sys::GGML_TYPE_F32 || header.nb[0] != size_of::<f32>() || volumes != 1 || width == 0 {
            return None;
        }
        for (index, row) in values.chunks_exact_mut(width).enumerate() {
            let offset = (index / rows) * header.nb[2] + (index % rows) * header.nb[1];
            // SAFETY: by ggml's strides the row begins there, and its `width` values lie side by
            // side (checked above); `row` has that many.
            unsafe {
                sys::ggml_backend_tensor_get(
                    self.tensor.as_ptr(),
                    row.as_mut_ptr().cast::<c_void>(),
                    offset,
                    size_of_val(row),
                );
            }
        }
        Some(values)
    }

    /// The name of the tensor that was rotated, if this one is the outcome of RoPE.
    pub(crate) fn rotated_from(&self) -> Option<String> {
        // SAFETY: the tensor is alive while the callback runs, which 'pass stands for.
        let header = unsafe { self.tensor.as_ref() };
        if header.op != sys::GGML_OP_ROPE {
            return None;
        }
        let source = NonNull::new(header.src[0])?;
        // SAFETY: a tensor's sources live as long as its graph; names are NUL-terminated inside.
        let name = unsafe { CStr::from_ptr(source.as_ref().name.as_ptr()) };
        Some(name.to_string_lossy().into_owned())
    }
}

/// llama.cpp's abort callback: asked between two nodes of a pass whether to end it.
unsafe extern "C" fn is_unwanted(flag: *mut c_void) -> bool {
    // SAFETY: `heed` gives the address of a flag that the context keeps alive and that is only read.
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
            observer.observe(
                name,
                &TensorView {
                    tensor,
                    _pass: PhantomData,
                },
            ) == Flow::Continue
        }
    }));
    answer.unwrap_or_else(|_| {
        trampoline.panicked = true;
        false
    })
}

/// The pointer inside a `LlamaModel`, which is `#[repr(transparent)]` over it.
fn model_pointer(model: &LlamaModel) -> *mut sys::llama_model {
    const _: () = assert!(size_of::<LlamaModel>() == size_of::<*mut sys::llama_model>());
    // SAFETY: LlamaModel is repr(transparent) over a (repr(transparent)) non-null pointer to
    // llama_model, and the assertion above watches the size.
    unsafe { *(&raw const *model).cast::<*mut sys::llama_model>() }
}
