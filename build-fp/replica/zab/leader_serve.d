build-fp/replica/zab/leader_serve.o: replica/zab/leader_serve.c \
 replica/zab/zab_internal.h replica/lib/check.h replica/zab/zab.h \
 replica/zab/message.h
replica/zab/zab_internal.h:
replica/lib/check.h:
replica/zab/zab.h:
replica/zab/message.h:
