build-fp/replica/tree/change.o: replica/tree/change.c \
 replica/tree/change.h replica/tree/txn.h replica/lib/wire.h \
 replica/lib/codec.h replica/lib/wire_member.h
replica/tree/change.h:
replica/tree/txn.h:
replica/lib/wire.h:
replica/lib/codec.h:
replica/lib/wire_member.h:
