//! gdb asks for the name of the program, and reads files through the stub (host I/O). So the files
//! may be on another machine. No file can be opened but those of [`super::files`].

use gdbstub::common::Pid;
use gdbstub::target::TargetResult;
use gdbstub::target::ext::exec_file::ExecFile;
use gdbstub::target::ext::host_io::{
    HostIo, HostIoClose, HostIoCloseOps, HostIoErrno, HostIoError, HostIoFstat, HostIoFstatOps,
    HostIoOpen, HostIoOpenFlags, HostIoOpenMode, HostIoOpenOps, HostIoPread, HostIoPreadOps,
    HostIoResult, HostIoStat,
};

use super::stub::{Stub, part};
use crate::addr::FileOffset;

impl ExecFile for Stub<'_, '_> {
    fn get_exec_file(
        &self,
        _: Option<Pid>,
        offset: u64,
        length: usize,
        buf: &mut [u8],
    ) -> TargetResult<usize, Self> {
        Ok(part(self.files.kernel().as_bytes(), offset, length, buf))
    }
}

impl HostIo for Stub<'_, '_> {
    fn support_open(&mut self) -> Option<HostIoOpenOps<'_, Self>> {
        Some(self)
    }

    fn support_close(&mut self) -> Option<HostIoCloseOps<'_, Self>> {
        Some(self)
    }

    fn support_pread(&mut self) -> Option<HostIoPreadOps<'_, Self>> {
        Some(self)
    }

    fn support_fstat(&mut self) -> Option<HostIoFstatOps<'_, Self>> {
        Some(self)
    }
}

impl HostIoOpen for Stub<'_, '_> {
    fn open(
        &mut self,
        path: &[u8],
        flags: HostIoOpenFlags,
        _: HostIoOpenMode,
    ) -> HostIoResult<u32, Self> {
        if flags.intersects(HostIoOpenFlags::O_WRONLY | HostIoOpenFlags::O_RDWR) {
            return Err(HostIoError::Errno(HostIoErrno::EROFS));
        }
        self.files.number(path).ok_or(HostIoError::Errno(HostIoErrno::ENOENT))
    }
}

impl HostIoClose for Stub<'_, '_> {
    fn close(&mut self, number: u32) -> HostIoResult<(), Self> {
        self.files.file(number).map(|_| ()).map_err(HostIoError::Errno)
    }
}

impl HostIoPread for Stub<'_, '_> {
    fn pread(
        &mut self,
        number: u32,
        count: usize,
        offset: u64,
        buf: &mut [u8],
    ) -> HostIoResult<usize, Self> {
        let file = self.files.file(number).map_err(HostIoError::Errno)?;
        let most = count.min(MOST_IN_A_PACKET).min(buf.len());
        let into = buf.get_mut(..most).unwrap_or_default();
        file.read_at(FileOffset::new(offset), into)
            .map_err(|_| HostIoError::Errno(HostIoErrno::EIO))
    }
}

/// A byte takes at most two in a packet.
const MOST_IN_A_PACKET: usize = super::PACKET / 2 - 64;

impl HostIoFstat for Stub<'_, '_> {
    fn fstat(&mut self, number: u32) -> HostIoResult<HostIoStat, Self> {
        let len = self.files.file(number).map_err(HostIoError::Errno)?.len();
        Ok(HostIoStat {
            st_dev: 0,
            st_ino: number,
            st_mode: HostIoOpenMode::S_IFREG | HostIoOpenMode::S_IRUSR,
            st_nlink: 1,
            st_uid: 0,
            st_gid: 0,
            st_rdev: 0,
            st_size: len,
            st_blksize: 512,
            st_blocks: len.div_ceil(512),
            st_atime: 0,
            st_mtime: 0,
            st_ctime: 0,
        })
    }
}
