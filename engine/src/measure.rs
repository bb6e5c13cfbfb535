#![allow(warnings)]
use crate::llama::model::{Model, Role};
use crate::read::encoder::*;
use crate::read::parts;
use crate::read::script::Script;
use crate::*;
use std::time::Instant;

fn config(name: &str) -> EncoderConfig {
    let dir = std::path::PathBuf::from(std::env::var("HOME").unwrap()).join(".cache/mainpoint/models");
    let gemma = name.contains("gemma");
    EncoderConfig {
        model: if name.starts_with('/') {
            name.into()
        } else {
            dir.join(name)
        },
        prompts: if gemma {
            Prompts {
                passage: "title: none | text: ".into(),
                question: "task: search result | query: ".into(),
            }
        } else {
            Prompts::default()
        },
        mean: Some(vec![0.0; if gemma { 768 } else { 384 }]),
        threads: std::env::var("THREADS").ok().map_or(2, |t| t.parse().unwrap()),
        passage_tokens: 0,
        keep: 0.5,
        queue: 8,
    }
}

#[test]
fn speed() {
    for name in std::env::var("MODELS").unwrap().split(',') {
        let config = config(name);
        let model = Model::load(&config.model, Role::Encoder).unwrap();
        println!("== {name} {:?}", model.geometry);
        let script = Script::new(&model, &config).unwrap();
        let text = crate::read::samples_for_test().repeat(3);
        let ids: Vec<_> = script.vocabulary().tokens(&text).iter().map(|t| t.id).collect();
        let framed = |n: usize| {
            let (a, b) = script.vocabulary().frame();
            let ids = [a, &ids[..n - a.len() - b.len()], b].concat();
            let own = 1..ids.len() - 1;
            PassText { ids, own }
        };
        println!("frame {:?}", script.vocabulary().frame());
        let mut att = Encoder::new(
            &model,
            PassSize {
                tokens: 512,
                texts: 16,
                threads: config.threads,
            },
            Sight::Attention,
        )
        .unwrap();
        let mut plain = Encoder::new(
            &model,
            PassSize {
                tokens: 512,
                texts: 16,
                threads: config.threads,
            },
            Sight::Vectors,
        )
        .unwrap();
        for (n, k) in [
            (8, 1),
            (16, 1),
            (32, 1),
            (48, 1),
            (121, 1),
            (256, 1),
            (336, 1),
            (496, 1),
            (48, 4),
            (48, 8),
            (121, 4),
            (24, 16),
        ] {
            let texts: Vec<_> = (0..k).map(|_| framed(n)).collect();
            let time = |e: &mut Encoder| {
                e.pass(&texts).unwrap();
                let mut best = f64::MAX;
                let mut all = vec![];
                for _ in 0..9 {
                    let s = Instant::now();
                    e.pass(&texts).unwrap();
                    all.push(s.elapsed().as_secs_f64());
                }
                all.sort_by(f64::total_cmp);
                (all[0], all[4])
            };
            let (a0, a) = time(&mut att);
            let (p0, p) = time(&mut plain);
            println!(
                "{k}x{n}: attention off-flash min {:.1} ms med {:.1} ms = {:.0} tok/s (best {:.0}); plain flash min {:.1} med {:.1} = {:.0} tok/s (best {:.0})",
                a0 * 1e3,
                a * 1e3,
                (n * k) as f64 / a,
                (n * k) as f64 / a0,
                p0 * 1e3,
                p * 1e3,
                (n * k) as f64 / p,
                (n * k) as f64 / p0
            );
        }
    }
}
