build-fp/replica/tree/prep_ops.o: replica/tree/prep_ops.c \
 replica/tree/prep_internal.h replica/tree/prep.h replica/tree/tree.h \
 replica/tree/txn.h replica/lib/wire.h replica/lib/codec.h \
 replica/lib/wire_member.h replica/tree/view.h replica/lib/check.h \
 replica/lib/err.h replica/tree/node.h
replica/tree/prep_internal.h:
replica/tree/prep.h:
replica/tree/tree.h:
replica/tree/txn.h:
replica/lib/wire.h:
replica/lib/codec.h:
replica/lib/wire_member.h:
replica/tree/view.h:
replica/lib/check.h:
replica/lib/err.h:
replica/tree/node.h:
