// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// Kernel side of the lab's sensor: what processes below one cgroup start, open and connect to.
//
// The kernel's helpers ask for a GPL-compatible licence, hence the two. Only the fields that are read are declared; libbpf
// finds their places in the running kernel from its BTF. The layout of records is told in ../records.py, field by field.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>


#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct ns_common { unsigned int inum; };
struct mnt_namespace { struct ns_common ns; };
struct net { struct ns_common ns; };
struct pid_namespace { struct ns_common ns; };
struct nsproxy {
	struct mnt_namespace *mnt_ns;
	struct net *net_ns;
};
struct upid { int nr; struct pid_namespace *ns; };
struct pid { unsigned int level; struct upid numbers[1]; };
struct qstr { const unsigned char *name; };
struct inode { unsigned short i_mode; };
struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
};
struct vfsmount { struct dentry *mnt_root; };
struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};
struct path { struct vfsmount *mnt; struct dentry *dentry; };
struct file { unsigned int f_mode; struct path f_path; struct inode *f_inode; };
struct fdtable { unsigned int max_fds; struct file **fd; };
struct files_struct { struct fdtable *fdt; };
struct fs_struct { struct path pwd; };
struct mm_struct { unsigned long arg_start; unsigned long arg_end; };
typedef struct { int counter; } atomic_t;
struct signal_struct { atomic_t live; };
typedef struct { unsigned int val; } kuid_t;
struct task_struct {
	int pid;
	int tgid;
	int exit_code;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	struct nsproxy *nsproxy;
	struct mm_struct *mm;
	struct fs_struct *fs;
	struct files_struct *files;
	struct signal_struct *signal;
	kuid_t loginuid;
};
struct linux_binprm { const char *filename; };
struct kernfs_node { __u64 id; };
struct cgroup { struct kernfs_node *kn; int level; };
struct in6_addr { union { __u8 u6_addr8[16]; } in6_u; };
struct sock_common {
	unsigned int skc_daddr;
	unsigned int skc_rcv_saddr;
	unsigned short skc_dport;
	unsigned short skc_num;
	unsigned short skc_family;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};
struct sock {
	struct sock_common __sk_common;
	unsigned short sk_type;
	unsigned short sk_protocol;
};
#pragma clang attribute pop

#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define IPPROTO_TCP 6
#define TCP_SYN_SENT 2
#define FMODE_READ 1
#define FMODE_WRITE 2
#define S_IFMT 0170000
#define S_IFREG 0100000

#define NAME 256 /* NAME_MAX and its end */
#define PATH 4096 /* PATH_MAX, a power of two: it is also a mask */
#define ARGS 8192
#define SPACE 16384 /* of a program's name, arguments and folder together; a power of two */
#define PARTS 96 /* names and mount points of a path that are followed */
#define KEY 48 /* longest name of a credential file, and its end */
#define AGAIN 1000000000ull /* the same datagrams are told once a second */

enum { EXEC = 1, FORK, EXIT, OPEN, NET, GROUP, SETNS };
enum { CUT_FILE = 1, CUT_ARGS = 2, CUT_PATH = 4 };

/* Where a walk along a path is. It lies in a map, of which the verifier knows no values: on the stack it would try each. */
struct walked { __u32 start, length, whole, secrets; };

struct head { __u64 ktime, cgroup; __u32 type, tgid, tid, uid; };
struct exec {
	struct head head;
	__u32 ppid, nspid, mntns, pidns, netns, auid, file, args, cwd, cut;
	char data[SPACE + NAME];
	struct walked walked;
};
struct fork { struct head head; __u32 child, ppid, nspid, unused; };
struct leave { struct head head; __u32 code, unused; };
struct opened { struct head head; __u32 mode, length, cut, unused; char data[SPACE + NAME]; struct walked walked; };
struct connected {
	struct head head;
	__u8 source[16], destination[16];
	__u16 family, type, protocol, source_port, destination_port, denied, call, unused;
	__u64 cookie;
};
struct group { struct head head; __u64 id; __u32 level, length; char data[PATH]; };
struct entered { struct head head; __u32 fd, kind; };

struct settings { __u64 root; __u32 level, mode; };
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, struct settings); } settings SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 1 << 23); } records SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 16); __type(key, __u32); __type(value, __u64); } lost SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 256); __type(key, char[KEY]); __type(value, __u32); } names SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 64); __type(key, __u8[16]); __type(value, __u32); } denied SEC(".maps");
struct told { __u8 address[16]; __u32 tgid; __u16 port, call; };
struct { __uint(type, BPF_MAP_TYPE_LRU_HASH); __uint(max_entries, 4096); __type(key, struct told); __type(value, __u64); } datagrams SEC(".maps");
/* One scratch a hook: hooks of tracepoints do not interrupt each other on one processor, but only within one hook. */
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, struct exec); } exec_scratch SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, struct opened); } open_scratch SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, struct group); } group_scratch SEC(".maps");

#define own static __always_inline

own void lose(__u32 type)
{
	__u64 *count = bpf_map_lookup_elem(&lost, &type);
	if (count)
		*count += 1;
}

own void tell(void *record, __u64 size, __u32 type)
{
	if (bpf_ringbuf_output(&records, record, size, 0))
		lose(type);
}

own int inside(void)
{
	__u32 zero = 0;
	struct settings *now = bpf_map_lookup_elem(&settings, &zero);
	return now && now->root && bpf_get_current_ancestor_cgroup_id(now->level) == now->root;
}

own void fill(struct head *head, __u32 type)
{
	__u64 both = bpf_get_current_pid_tgid();
	head->ktime = bpf_ktime_get_boot_ns();
	head->cgroup = bpf_get_current_cgroup_id();
	head->type = type;
	head->tgid = both >> 32;
	head->tid = (__u32)both;
	head->uid = (__u32)bpf_get_current_uid_gid();
}

own struct upid last_id(struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, group_leader, thread_pid);
	unsigned int level = BPF_CORE_READ(pid, level);
	struct upid id = {};
	if (level < 32) /* MAX_PID_NS_LEVEL */
		bpf_core_read(&id, sizeof(id), &pid->numbers[level]);
	return id;
}

/* The names of a path from its end to the root of its mount namespace, each ended by 0; a chroot does not shorten it. */
struct walk { struct dentry *at; struct mount *mount; char *into; struct walked *walked; };

static long step(__u32 index, struct walk *walk)
{
	struct dentry *at = walk->at;
	struct mount *mount = walk->mount;
	struct walked *walked = walk->walked;
	struct dentry *parent = BPF_CORE_READ(at, d_parent), *top = BPF_CORE_READ(mount, mnt.mnt_root);
	if (at == top || at == parent) {
		struct mount *above = BPF_CORE_READ(mount, mnt_parent);
		if (at != top || above == mount) {
			walked->whole = 1;
			return 1;
		}
		walk->at = BPF_CORE_READ(mount, mnt_mountpoint);
		walk->mount = above;
		return 0;
	}
	if (walked->length >= PATH)
		return 1;
	char *place = walk->into + ((walked->start + walked->length) & (SPACE - 1));
	long more = bpf_probe_read_kernel_str(place, NAME, BPF_CORE_READ(at, d_name.name));
	if (more <= 0)
		return 1;
	__u64 name = 0;
	bpf_probe_read_kernel(&name, sizeof(name), place);
	if (name == 0x0073746572636573ull || name == 0x0074656c6562756bull) /* "secrets", "kubelet", little endian */
		walked->secrets = 1;
	walked->length += more;
	walk->at = parent;
	return 0;
}

own void follow(struct path *path, char *into, struct walked *walked, __u32 start)
{
	struct walk walk = { .at = BPF_CORE_READ(path, dentry), .into = into, .walked = walked };
	walk.mount = (void *)BPF_CORE_READ(path, mnt) - bpf_core_field_offset(struct mount, mnt);
	walked->start = start;
	walked->length = walked->whole = walked->secrets = 0;
	bpf_loop(PARTS, step, &walk, 0);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old, struct linux_binprm *program)
{
	__u32 zero = 0;
	struct exec *record;
	if (!inside() || !(record = bpf_map_lookup_elem(&exec_scratch, &zero)))
		return 0;
	struct upid id = last_id(task);
	fill(&record->head, EXEC);
	record->ppid = BPF_CORE_READ(task, real_parent, tgid);
	record->nspid = id.nr;
	record->pidns = BPF_CORE_READ(id.ns, ns.inum);
	record->mntns = BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);
	record->netns = BPF_CORE_READ(task, nsproxy, net_ns, ns.inum);
	record->auid = bpf_core_field_exists(task->loginuid) ? BPF_CORE_READ(task, loginuid.val) : ~0u;
	record->cut = 0;
	long got = bpf_probe_read_kernel_str(record->data, PATH - 1, BPF_CORE_READ(program, filename));
	__u64 at = got > 0 ? got & (PATH - 1) : 0;
	record->file = at;
	record->cut |= got == PATH - 1 ? CUT_FILE : 0;
	/* The new image's own copy of its arguments: nobody else can have changed them yet. */
	__u64 start = BPF_CORE_READ(task, mm, arg_start), size = BPF_CORE_READ(task, mm, arg_end) - start;
	if (size >= ARGS) {
		size = ARGS - 1;
		record->cut |= CUT_ARGS;
	}
	size &= ARGS - 1;
	if (bpf_probe_read_user(record->data + at, size, (void *)start)) {
		record->cut |= CUT_ARGS;
		size = 0;
	}
	record->args = size;
	at += size;
	follow(&task->fs->pwd, record->data, &record->walked, at);
	record->cut |= record->walked.whole ? 0 : CUT_PATH;
	record->cwd = record->walked.length;
	at += record->walked.length;
	if (at > sizeof(record->data))
		return 0;
	tell(record, __builtin_offsetof(struct exec, data) + at, EXEC);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *task, struct task_struct *child)
{
	int tgid = BPF_CORE_READ(child, tgid);
	if (tgid != BPF_CORE_READ(child, pid) || !inside())
		return 0;
	struct fork record = {};
	fill(&record.head, FORK);
	record.child = tgid;
	record.ppid = BPF_CORE_READ(child, real_parent, tgid);
	record.nspid = last_id(child).nr;
	tell(&record, sizeof(record), FORK);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	if (BPF_CORE_READ(task, signal, live.counter) > 0 || !inside()) /* the last thread ends the process */
		return 0;
	struct leave record = {};
	fill(&record.head, EXIT);
	record.code = BPF_CORE_READ(task, exit_code);
	tell(&record, sizeof(record), EXIT);
	return 0;
}

/* After the call, so that the path is the one that was opened, not the one that was asked for. */
struct done { __u64 common; long number; long result; };

/* One program for open, openat, openat2, creat and open_by_handle_at; ../ebpf.py attaches it to each. */
SEC("tp")
int on_open(struct done *call)
{
	__u32 zero = 0;
	struct opened *record;
	if (call->result < 0 || !inside() || !(record = bpf_map_lookup_elem(&open_scratch, &zero)))
		return 0;
	struct task_struct *task = (void *)bpf_get_current_task();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	if (call->result >= BPF_CORE_READ(table, max_fds))
		return 0;
	struct file **slot = BPF_CORE_READ(table, fd) + call->result, *file = 0;
	bpf_probe_read_kernel(&file, sizeof(file), slot);
	__u32 mode = BPF_CORE_READ(file, f_mode) & (FMODE_READ | FMODE_WRITE);
	if (!mode || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFREG)
		return 0;
	char key[KEY] = {};
	bpf_probe_read_kernel_str(key, sizeof(key), BPF_CORE_READ(file, f_path.dentry, d_name.name));
	follow(&file->f_path, record->data, &record->walked, 0);
	__u32 cut = record->walked.whole ? 0 : CUT_PATH, length = record->walked.length;
	if (!(mode & FMODE_WRITE) && !record->walked.secrets && !cut && !bpf_map_lookup_elem(&names, &key))
		return 0;
	fill(&record->head, OPEN);
	record->mode = mode;
	record->cut = cut;
	record->length = length;
	if (length > sizeof(record->data))
		return 0;
	tell(record, __builtin_offsetof(struct opened, data) + length, OPEN);
	return 0;
}

struct setns_call { __u64 common; long number; long fd; long kind; };

SEC("tp/syscalls/sys_enter_setns")
int on_setns(struct setns_call *call)
{
	if (!inside())
		return 0;
	struct entered record = {};
	fill(&record.head, SETNS);
	record.fd = call->fd;
	record.kind = call->kind;
	tell(&record, sizeof(record), SETNS);
	return 0;
}

own void map4(__u8 *into, __u32 address)
{
	__builtin_memset(into, 0, 10);
	into[10] = into[11] = 0xff;
	__builtin_memcpy(into + 12, &address, 4);
}

/* TCP connections when they begin, below every way to ask for one: connect, sendto with MSG_FASTOPEN, io_uring. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_state, struct sock *sk, int before, int now)
{
	if (now != TCP_SYN_SENT || BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP || !inside())
		return 0;
	struct connected record = {};
	fill(&record.head, NET);
	record.family = BPF_CORE_READ(sk, __sk_common.skc_family);
	record.type = BPF_CORE_READ(sk, sk_type);
	record.protocol = IPPROTO_TCP;
	record.source_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	record.destination_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (record.family == AF_INET) {
		map4(record.source, BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr));
		map4(record.destination, BPF_CORE_READ(sk, __sk_common.skc_daddr));
	} else {
		BPF_CORE_READ_INTO(&record.source, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&record.destination, sk, __sk_common.skc_v6_daddr);
	}
	tell(&record, sizeof(record), NET);
	return 0;
}

/* Called for what a process asks to connect or send to, before it happens: datagrams, and whatever is refused. */
own int asked(struct bpf_sock_addr *call, __u16 family, __u16 sends)
{
	struct connected record = {};
	record.family = family;
	if (family == AF_INET) {
		map4(record.destination, call->user_ip4);
	} else {
		__u32 word;
		word = call->user_ip6[0]; __builtin_memcpy(record.destination, &word, 4);
		word = call->user_ip6[1]; __builtin_memcpy(record.destination + 4, &word, 4);
		word = call->user_ip6[2]; __builtin_memcpy(record.destination + 8, &word, 4);
		word = call->user_ip6[3]; __builtin_memcpy(record.destination + 12, &word, 4);
	}
	record.type = call->type;
	record.protocol = call->protocol;
	record.destination_port = bpf_ntohs((__u16)call->user_port);
	record.denied = bpf_map_lookup_elem(&denied, record.destination) != 0;
	record.call = sends;
	if (!record.denied && record.type != SOCK_DGRAM)
		return 1; /* told when it begins */
	if (!inside())
		return !record.denied;
	fill(&record.head, NET);
	record.cookie = bpf_get_socket_cookie(call);
	if (record.type == SOCK_DGRAM) {
		struct told key = { .tgid = record.head.tgid, .port = record.destination_port, .call = sends };
		__builtin_memcpy(key.address, record.destination, 16);
		__u64 *last = bpf_map_lookup_elem(&datagrams, &key);
		if (last && record.head.ktime - *last < AGAIN)
			return !record.denied;
		bpf_map_update_elem(&datagrams, &key, &record.head.ktime, BPF_ANY);
	}
	tell(&record, sizeof(record), NET);
	return !record.denied;
}

SEC("cgroup/connect4")
int on_connect4(struct bpf_sock_addr *call) { return asked(call, AF_INET, 0); }
SEC("cgroup/connect6")
int on_connect6(struct bpf_sock_addr *call) { return asked(call, AF_INET6, 0); }
SEC("cgroup/sendmsg4")
int on_sendmsg4(struct bpf_sock_addr *call) { return asked(call, AF_INET, 1); }
SEC("cgroup/sendmsg6")
int on_sendmsg6(struct bpf_sock_addr *call) { return asked(call, AF_INET6, 1); }

/* A cgroup's id and path when it is made, so that the first process in it is known already. */
SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(on_group, struct cgroup *made, const char *path)
{
	__u32 zero = 0;
	struct group *record = bpf_map_lookup_elem(&group_scratch, &zero);
	if (!record)
		return 0;
	fill(&record->head, GROUP);
	record->id = BPF_CORE_READ(made, kn, id);
	record->level = BPF_CORE_READ(made, level);
	long length = bpf_probe_read_kernel_str(record->data, PATH, path);
	record->length = length > 0 ? length & (2 * PATH - 1) : 0;
	if (record->length > PATH)
		return 0;
	tell(record, __builtin_offsetof(struct group, data) + record->length, GROUP);
	return 0;
}

char _license[] SEC("license") = "GPL";
