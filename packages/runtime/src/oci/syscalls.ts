const purposes = [
  // Files and directories
  `access chdir chmod chown close close_range creat dup dup2 dup3 faccessat faccessat2 fadvise64 fallocate fchdir
  fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat
  fstatfs fsync ftruncate futimesat getcwd getdents getdents64 getxattr lchown lgetxattr link linkat listxattr
  llistxattr lremovexattr lseek lsetxattr lstat mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open openat
  openat2 readlink readlinkat removexattr rename renameat renameat2 rmdir setxattr stat statfs statx symlink symlinkat
  sync sync_file_range syncfs truncate umask unlink unlinkat utime utimensat utimes chroot cachestat`,
  // Input, output and waiting
  `copy_file_range epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2
  fanotify_mark inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents
  io_setup io_submit ioctl pipe pipe2 poll ppoll pread64 preadv preadv2 pselect6 pwrite64 pwritev pwritev2 read readahead
  readv select sendfile signalfd signalfd4 splice tee timerfd_create timerfd_gettime timerfd_settime write writev`,
  // Memory
  `brk get_mempolicy madvise mbind membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mprotect
  mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_madvise process_mrelease
  remap_file_pages set_mempolicy`,
  // Processes and threads; clone and unshare have conditions, see below
  `capget capset execve execveat exit exit_group fork futex futex_requeue futex_wait futex_waitv futex_wake
  get_robust_list get_thread_area getcpu getegid geteuid getgid getgroups getpgid getpgrp getpid getppid getpriority
  getresgid getresuid getrlimit getrusage getsid gettid getuid ioprio_get ioprio_set kcmp kill landlock_add_rule
  landlock_create_ruleset landlock_restrict_self pause pidfd_getfd pidfd_open pidfd_send_signal prctl prlimit64
  process_vm_readv process_vm_writev ptrace restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask
  rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max
  sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval
  sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp set_robust_list
  set_thread_area set_tid_address setfsgid setfsuid setgid setgroups setpgid setpriority setregid setresgid setresuid
  setreuid setrlimit setsid setuid sigaltstack tgkill tkill vfork wait4 waitid`,
  // Sockets and messages; socket has a condition
  `accept accept4 bind connect getpeername getsockname getsockopt listen mq_getsetattr mq_notify mq_open
  mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd recvfrom recvmmsg recvmsg semctl semget semop
  semtimedop sendmmsg sendmsg sendto setsockopt shmat shmctl shmdt shmget shutdown socketpair`,
  // Time and the system
  `adjtimex alarm clock_adjtime clock_getres clock_gettime clock_nanosleep getitimer getrandom gettimeofday nanosleep
  setitimer sysinfo time timer_create timer_delete timer_getoverrun timer_gettime timer_settime times uname`,
  // Of single architectures
  "arch_prctl",
];

/**
 * The system calls that a sandbox may make, by what they are for. What is in neither list fails with ENOSYS, so that
 * libraries fall back to older calls. Left out on purpose: io_uring (a large attack surface, and checkpoints cannot save
 * it), and everything that only 32-bit programs use.
 */
export const allowedCalls: readonly string[] = purposes.join(" ").split(/\s+/);

/**
 * Refused with EPERM, as for a process without the privilege: programs know that answer and say so. Changing mounts and
 * namespaces, loading code into the kernel, watching it, its key rings, other machines' state.
 */
export const refusedCalls: readonly string[] = `acct add_key bpf clock_settime delete_module fanotify_init finit_module
fsconfig fsmount fsopen fspick init_module ioperm iopl kexec_file_load kexec_load keyctl lookup_dcookie migrate_pages
mount mount_setattr move_mount move_pages nfsservctl open_by_handle_at open_tree perf_event_open pivot_root quotactl
quotactl_fd reboot request_key set_mempolicy_home_node setdomainname sethostname setns settimeofday statmount listmount
swapoff swapon syslog umount2 uselib userfaultfd ustat vhangup vmsplice`.split(/\s+/);
