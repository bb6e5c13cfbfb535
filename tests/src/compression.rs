//! Compresses what a client sends.

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

/// `body` in the encoding of this name: `gzip`, `deflate`, `zstd` or `identity`.
///
/// # Panics
/// When the name is another.
#[must_use]
pub fn compressed(encoding: &str, body: &[u8]) -> Vec<u8> {
    match encoding {
        "gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(body).expect("memory takes everything");
            encoder.finish().expect("memory takes everything")
        }
        "deflate" => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(body).expect("memory takes everything");
            encoder.finish().expect("memory takes everything")
        }
        "zstd" => zstd::stream::encode_all(body, 0).expect("memory takes everything"),
        "identity" => body.to_vec(),
        other => panic!("no encoder for {other}"),
    }
}
