//! `mainpoint-bench request-path`: how long a request waits for its memory, by how much memory there is.
//!
//! Question: what does the memory add to a request before the upstream sees it, with 1,000 to 1,000,000 main points in
//! one scope, which step takes how long, and what of the best does the first stage find? Method: stores are filled with rows
//! made of real readings (sentences of several turns, each token's vector mixed with another's, its code and the mean made of
//! the same) and kept in the cache; the built program serves a working copy of each over loopback, to a client that asks
//! over-budget questions one after the other, with the reader idle and with it busy; the store's own steps are timed in
//! process, through its public operations. Baselines: vectors compared one by one instead of through the index, and the codes
//! of everything instead of those of candidates.

mod copies;
mod figures;
mod filling;
mod material;
mod mixing;
mod playing;
mod presentation;
mod searching;
mod survival;

use std::path::PathBuf;

use self::filling::Filled;
use self::material::Material;
use self::playing::Played;
use self::presentation::present;
use self::searching::Searched;
use self::survival::Survival;
use crate::BenchError;
use crate::cache::{Cache, write_whole};
use crate::product::Product;
pub use crate::recall::LOCOMO_REPORT as CONVERSATIONS;
use crate::recall::library::Library;
use crate::report::write_rows;

/// What to measure and where to put the results.
#[derive(Debug, Clone)]
pub struct RequestPathOptions {
    /// How many main points each measured scope holds, ascending.
    pub sizes: Vec<usize>,
    /// Requests in each phase.
    pub requests: usize,
    /// The LoCoMo file that rows are made of.
    pub data: PathBuf,
    /// Conversations of it that rows are made of.
    pub conversations: Vec<String>,
    /// The product's settings.
    pub product: Product,
    /// The `mainpoint` program.
    pub program: PathBuf,
    /// Directory for `request-path.md` and `request-path.jsonl`.
    pub out: PathBuf,
    /// Directory for readings and filled stores.
    pub cache: PathBuf,
}

/// The sizes that are measured unless others are asked for, in main points.
pub const SIZES: [u32; 3] = [1_000, 100_000, 1_000_000];

/// Everything that was measured with one store.
#[derive(Debug)]
struct Measured {
    filled: Filled,
    played: Played,
    searched: Searched,
    survival: Survival,
}

/// Measures every size, prints the tables and writes the result files, after each size anew.
///
/// # Errors
/// Any failure of data, engine, store, proxy or files.
pub async fn run(options: &RequestPathOptions) -> Result<(), BenchError> {
    let cache = Cache::at(options.cache.clone());
    let library = Library::open(&options.product, cache).await?;
    let material = Material::read(options, &library).await?;
    let mut measured = Vec::with_capacity(options.sizes.len());
    for rows in &options.sizes {
        measured.push(measure(options, &library, (&material, *rows)).await?);
        let (mut report, figures) = present(options, &measured);
        let markdown = report.markdown("What the memory adds to a request");
        write_whole(&options.out.join("request-path.md"), markdown.as_bytes())?;
        write_rows(&options.out.join("request-path.jsonl"), &figures)?;
        if measured.len() == options.sizes.len() {
            anstream::println!("{}", report.terminal());
        }
    }
    anstream::println!(
        "Written: request-path.md and request-path.jsonl in {}",
        options.out.display()
    );
    Ok(())
}

async fn measure(
    options: &RequestPathOptions,
    library: &Library,
    (material, rows): (&Material, usize),
) -> Result<Measured, BenchError> {
    let filled = Filled::with(options, material, rows).await?;
    let played = playing::play(options, material, &filled).await?;
    let (searched, survival) = searching::search(library, material, &filled).await?;
    Ok(Measured {
        filled,
        played,
        searched,
        survival,
    })
}
