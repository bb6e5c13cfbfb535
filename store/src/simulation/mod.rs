//! x
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]
mod check; mod client; mod commits; mod disk; mod history; mod knowledge; mod lives; mod names; mod tables;
fn unused_tables() -> crate::lance::tables::Tables { crate::lance::tables::Tables { vector_width: 2 } }
#[test]
fn first() {
    let from: u64 = std::env::var("FROM").ok().and_then(|x| x.parse().ok()).unwrap_or(0);
    let n: u64 = std::env::var("N").ok().and_then(|x| x.parse().ok()).unwrap_or(2000);
    std::panic::set_hook(Box::new(|_| {}));
    let (t, mut bad) = (std::time::Instant::now(), Vec::new());
    for seed in from..from + n {
        let ended = lives::run(lives::ground(), seed, None);
        if let Some(v) = ended.violation { bad.push(seed); if bad.len() <= 3 || std::env::var("ALL").is_ok() { eprintln!("SEED {seed}: {v}"); if n == 1 { for l in &ended.story { eprintln!("  {l}"); } } } }
    }
    eprintln!("{n} seeds, {} violations {:?}, {:?}", bad.len(), &bad[..bad.len().min(20)], t.elapsed());
}
