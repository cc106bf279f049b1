build-fp/replica/store/log.o: replica/store/log.c \
 replica/store/store_internal.h replica/store/store.h replica/lib/codec.h \
 replica/lib/check.h
replica/store/store_internal.h:
replica/store/store.h:
replica/lib/codec.h:
replica/lib/check.h:
