build-fp/replica/net/link_listen.o: replica/net/link_listen.c \
 replica/net/link_internal.h replica/lib/address.h replica/lib/conn.h \
 replica/lib/wire.h replica/lib/codec.h replica/lib/wire_member.h \
 replica/lib/dial.h replica/net/acceptor.h replica/net/link.h
replica/net/link_internal.h:
replica/lib/address.h:
replica/lib/conn.h:
replica/lib/wire.h:
replica/lib/codec.h:
replica/lib/wire_member.h:
replica/lib/dial.h:
replica/net/acceptor.h:
replica/net/link.h:
