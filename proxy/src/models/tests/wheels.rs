//! Writes wheels that pip accepts, with one data file in each, and archives to be cut into pieces.

use std::fs::File;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Writes the wheel of version 1.0.0 of `package` into `directory`, with `content` at `member` below the package.
pub(super) fn write(directory: &Path, package: &str, member: &str, content: &[u8]) -> PathBuf {
    let path = directory.join(format!("{package}-1.0.0-py3-none-any.whl"));
    let mut wheel = ZipWriter::new(File::create(&path).unwrap());
    let info = format!("{package}-1.0.0.dist-info");
    let metadata = format!("Metadata-Version: 2.1\nName: {}\nVersion: 1.0.0\n", package.replace('_', "-"));
    let kind = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
    let members: [(String, &[u8]); 5] = [
        // Imported or run, this would leave a trace that no test expects.
        (format!("{package}/__init__.py"), b"raise SystemExit('fetched code was run')\n"),
        (format!("{package}/{member}"), content),
        (format!("{info}/METADATA"), metadata.as_bytes()),
        (format!("{info}/WHEEL"), kind.as_bytes()),
        (format!("{info}/RECORD"), b""),
    ];
    for (name, bytes) in members {
        wheel.start_file(name, SimpleFileOptions::default()).unwrap();
        wheel.write_all(bytes).unwrap();
    }
    wheel.finish().unwrap();
    path
}

/// An archive with these files in `directory`.
pub(super) fn zip(directory: &str, members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        archive.start_file(format!("{directory}/{name}"), SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}
