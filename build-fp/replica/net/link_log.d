build-fp/replica/net/link_log.o: replica/net/link_log.c \
 replica/net/link_internal.h replica/lib/address.h replica/lib/conn.h \
 replica/lib/wire.h replica/lib/codec.h replica/lib/wire_member.h \
 replica/lib/dial.h replica/net/acceptor.h replica/net/link.h \
 replica/lib/log.h
replica/net/link_internal.h:
replica/lib/address.h:
replica/lib/conn.h:
replica/lib/wire.h:
replica/lib/codec.h:
replica/lib/wire_member.h:
replica/lib/dial.h:
replica/net/acceptor.h:
replica/net/link.h:
replica/lib/log.h:
