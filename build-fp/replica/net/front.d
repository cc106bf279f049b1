build-fp/replica/net/front.o: replica/net/front.c \
 replica/net/front_internal.h replica/lib/address.h replica/lib/conn.h \
 replica/lib/wire.h replica/lib/codec.h replica/lib/wire_member.h \
 replica/net/acceptor.h replica/net/front.h replica/net/unixsock.h \
 replica/lib/err.h replica/lib/log.h
replica/net/front_internal.h:
replica/lib/address.h:
replica/lib/conn.h:
replica/lib/wire.h:
replica/lib/codec.h:
replica/lib/wire_member.h:
replica/net/acceptor.h:
replica/net/front.h:
replica/net/unixsock.h:
replica/lib/err.h:
replica/lib/log.h:
