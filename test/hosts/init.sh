#!/bin/sh
# The guest's first process: a plain host with cgroup v2 alone, and nothing else running.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tmpfs run /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -o remount,rw /
mount --make-rprivate /
ip link set lo up
for module in loop overlay veth nf_tables ext4; do modprobe $module; done
echo "nameserver 127.0.0.1" > /etc/resolv.conf
export CASTELLAN_TEST_ROOTFS=/
cd /castellan
/castellan/node --conditions=source --disable-warning=ExperimentalWarning test/hosts/inside.ts
echo "guest ended with $?"
sync
echo o > /proc/sysrq-trigger
sleep 60
