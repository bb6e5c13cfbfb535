//! Which model a benchmark reads with.
//!
//! It must not know what it is used for.

use clap::Args;
use mainpoint_bench::BenchError;
use mainpoint_bench::product::Product;

/// The reader's model.
#[derive(Debug, Args)]
pub(crate) struct ModelArguments {
    /// The model that reads, as models.reader names it: a name of the catalogue or a GGUF file; default: the product's own.
    #[arg(long, value_name = "MODEL")]
    reader: Option<String>,
}

impl ModelArguments {
    /// The product with this model.
    pub(crate) fn product(&self) -> Result<Product, BenchError> {
        Product::with(self.reader.as_deref())
    }
}
