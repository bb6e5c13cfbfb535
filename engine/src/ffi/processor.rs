//! Whether this processor can run what llama.cpp was compiled to.

/// Instructions that llama.cpp was compiled with and this processor lacks. The first one that it meets would end the
/// process without a word.
#[cfg(target_arch = "x86_64")]
pub(crate) fn missing_instructions() -> Option<&'static str> {
    use std::arch::is_x86_feature_detected as has;

    use llama_cpp_sys_2 as sys;

    let wide = has!("avx512f") && has!("avx512cd") && has!("avx512vl") && has!("avx512dq") && has!("avx512bw");
    // SAFETY: the functions take nothing and give constants of the compilation.
    let built = unsafe {
        [
            (sys::ggml_cpu_has_avx2(), has!("avx2"), "AVX2"),
            (sys::ggml_cpu_has_fma(), has!("fma"), "FMA"),
            (sys::ggml_cpu_has_f16c(), has!("f16c"), "F16C"),
            (sys::ggml_cpu_has_bmi2(), has!("bmi2"), "BMI2"),
            (sys::ggml_cpu_has_avx_vnni(), has!("avxvnni"), "AVX-VNNI"),
            (sys::ggml_cpu_has_avx512(), wide, "AVX-512"),
            (sys::ggml_cpu_has_avx512_bf16(), has!("avx512bf16"), "AVX-512 BF16"),
            (sys::ggml_cpu_has_avx512_vbmi(), has!("avx512vbmi"), "AVX-512 VBMI"),
            (sys::ggml_cpu_has_avx512_vnni(), has!("avx512vnni"), "AVX-512 VNNI"),
        ]
    };
    let missing = built.into_iter().find(|(wanted, there, _)| *wanted != 0 && !there);
    missing.map(|(_, _, name)| name)
}

/// Other processors are compiled for as a family.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn missing_instructions() -> Option<&'static str> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_compiled_for_this_processor_runs_on_it() {
        assert_eq!(missing_instructions(), None);
    }
}
