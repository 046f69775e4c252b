//! From compressed bytes to blocks of plain bytes: gzip members and zstd frames,
//! one after another.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

use super::packing::Packing;
use crate::source::UnpackError;

/// A larger zstd window would take more memory than a reader should use:
/// 128 MB, the limit of zstd(1). Kernels compress with windows of a few megabytes.
const LARGEST_WINDOW_LOG: u32 = 27;

/// Where plain bytes go.
pub(super) trait Blocks {
    /// Space for more bytes, never empty.
    fn space(&mut self) -> &mut [u8];

    /// `len` bytes of the space now hold data. Returns false if no more are wanted.
    fn filled(&mut self, len: usize) -> bool;
}

/// How many streams may follow each other in `len` bytes: each costs a decoder. Parallel
/// compressors write streams of megabytes.
fn most_streams(len: u64) -> u64 {
    const ALWAYS: u64 = 4096;
    ALWAYS + len / 512
}
/// Decodes everything in `input`, which has `len` bytes, and calls `step` after every
/// piece. Returns what is odd about it, as a sentence.
/// piece. Gives what is odd about it, as a sentence.
pub(super) fn decode(
    input: &mut impl BufRead,
    len: u64,
    blocks: &mut dyn Blocks,
    step: &mut dyn FnMut(),
) -> Result<Option<String>, UnpackError> {
    let mut some = false;
    let mut streams = 0;
    loop {
        let next = input.fill_buf().map_err(|why| UnpackError::Input { why: why.to_string() })?;
        let Some(packing) = Packing::of(next) else { break };
        streams += 1;
        if streams > most_streams(len) {
            let why = format!("more than {} streams follow each other in it", streams - 1);
            return Err(UnpackError::Damaged { packing: packing.name(), why });
        }
        let end = match packing {
            Packing::Gzip => {
                copy(&mut GzDecoder::new(&mut *input), packing, blocks, step, &mut some)?
            }
            Packing::Zstd => {
                let damaged = |why| damaged(packing, &why);
                let decoder = zstd::Decoder::with_buffer(&mut *input).map_err(damaged)?;
                let mut decoder = decoder.single_frame();
                decoder.window_log_max(LARGEST_WINDOW_LOG).map_err(damaged)?;
                copy(&mut decoder, packing, blocks, step, &mut some)?
            }
        };
        match end {
            End::Whole => {}
            End::Enough => return Ok(None),
            End::CutOff if !some && streams == 1 => {
                let why =
                    "the file ends within its header or its first block (block header)".to_owned();
                return Err(UnpackError::Damaged { packing: packing.name(), why });
            }
            End::CutOff => {
                return Ok(Some(format!(
                    "the {packing} stream is cut off: what follows in it is missing"
                )));
            }
        }
    }
    let padding = rest_is_zero(input).map_err(|why| UnpackError::Input { why: why.to_string() })?;
    step();
    let odd = || "other data follows the compressed stream and is ignored".to_owned();
    Ok((!padding).then(odd))
}

enum End {
    Whole,
    CutOff,
    /// The blocks want no more.
    Enough,
}

fn copy(
    decoder: &mut impl Read,
    packing: Packing,
    blocks: &mut dyn Blocks,
    step: &mut dyn FnMut(),
    some: &mut bool,
) -> Result<End, UnpackError> {
    loop {
        match decoder.read(blocks.space()) {
            Ok(0) => return Ok(End::Whole),
            Ok(len) => {
                *some = true;
                let more = blocks.filled(len);
                step();
                if !more {
                    return Ok(End::Enough);
                }
            }
            Err(why) if why.kind() == io::ErrorKind::UnexpectedEof => return Ok(End::CutOff),
            Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
            Err(why) => return Err(damaged(packing, &why)),
        }
    }
}

/// What is wrong according to the decoder, and where.
fn damaged(packing: Packing, why: &io::Error) -> UnpackError {
    let said = why.to_string();
    let place = match packing {
        Packing::Gzip if said.contains("header") => "its header (method, flags)",
        Packing::Gzip if said.contains("checksum") => "its data or its end (crc32, isize)",
        Packing::Zstd if said.contains("memory") || said.contains("parameter") => {
            "its frame header (descriptor, window)"
        }
        Packing::Zstd if said.contains("checksum") => "its data or its end (checksum)",
        Packing::Zstd => "a block header, its data, or the window of its frame header",
        Packing::Gzip => "a block header or its data",
    };
    UnpackError::Damaged { packing: packing.name(), why: format!("{place}: {said}") }
}

fn rest_is_zero(input: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let next = input.fill_buf()?;
        if next.is_empty() {
            return Ok(true);
        }
        if next.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        let len = next.len();
        input.consume(len);
    }
}
