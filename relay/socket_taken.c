/* See socket_taken.h. A file of its own: the C library's struct tcp_info is older than the kernel's, and their
 * headers cannot be had together. */
#include "socket_taken.h"

#include <linux/in.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

uint32_t socket_taken(int fd)
{
    struct tcp_info info;
    socklen_t size = sizeof(info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
        size >= offsetof(struct tcp_info, tcpi_bytes_received))
        return (uint32_t)info.tcpi_bytes_acked;
    int unread = 0;
    ioctl(fd, SIOCOUTQ, &unread);
    return (uint32_t)unread;
}
